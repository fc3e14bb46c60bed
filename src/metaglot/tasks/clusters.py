"""Clusters of words and of sentences, by k-means over the features that a model computes for them.

Sentence clusters are classes: each partition (another seed, another number of clusters) is a task of its own.
Bansal et al. 2021, https://arxiv.org/abs/2111.01322
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from metaglot.errors import MetaglotError
from metaglot.seeds import fold, generator
from metaglot.tasks.masked import MaskedText
from metaglot.tasks.sources import Source, TokenisedSet, source_by_code
from metaglot.types import Learner, Objective, Params, Row

FULL_KMEANS = 20_000  # points up to which k-means takes all at once; above, it takes small batches


class WordClustering(NamedTuple):
    """How words are clustered; the model reads `words` · `sentences` texts."""

    clusters: int = 100
    words: int = 2000  # the most frequent ones; the others belong to no cluster
    sentences: int = 4  # that hold the word, at most
    batch: int = 64  # texts a pass


WORD_CLUSTERING = WordClustering()

Vectors = Callable[[np.ndarray, WordClustering], np.ndarray]
"""A function that returns the vectors [n, D] of n words, by a model."""


class SentenceClustering(NamedTuple):
    """How sentences are clustered."""

    clusters: tuple[int, ...] = (20, 50, 100)  # one partition for each
    max_sentences: int = 20_000  # drawn uniformly
    min_per_class: int = 20  # smaller clusters are left out
    batch: int = 64  # texts a pass


def cluster_words(
    text: MaskedText, objective: Objective, learner: Learner, params: Params, options: WordClustering, *, seed: int
) -> np.ndarray:  # [W] int32
    """Return the cluster of each word by the current model, -1 for none: an assignment for `words.Clusters`."""

    def vectors(words: np.ndarray, options: WordClustering) -> np.ndarray:
        return word_vectors(text, words, objective, learner, params, options)

    return assign_words(text.index.counts, vectors, options, seed=seed)


def assign_words(
    counts: np.ndarray, vectors: Vectors, options: WordClustering, *, seed: int
) -> np.ndarray:  # [W] int32
    """Return the cluster of each word; -1 for a word that is not among the most frequent ones or has a count of 0."""
    words = np.argsort(-counts, kind="stable")[: options.words]
    words = np.sort(words[counts[words] > 0])
    if len(words) < 2:
        raise MetaglotError("clusters need at least two words with enough sentences; give more text")
    assignment = np.full(len(counts), -1, dtype=np.int32)
    assignment[words] = kmeans(vectors(words, options), options.clusters, seed=seed)
    return assignment


def word_vectors(
    text: MaskedText, words: np.ndarray, objective: Objective, learner: Learner, params: Params, options: WordClustering
) -> np.ndarray:  # [n, D] float32
    """Return for each word the mean pooled feature of sentences that hold it; the word itself is masked.

    The sentences are spread evenly over the occurrences of the word, and are the same for every model.
    """
    rows: list[Row] = []
    owners: list[int] = []
    for i, word in enumerate(words.tolist()):
        occurrences = text.index.sentences(word)
        spread = np.linspace(0, len(occurrences) - 1, min(options.sentences, len(occurrences))).astype(np.int64)
        masked = text.rows(word, occurrences[spread])
        rows += masked
        owners += [i] * len(masked)
    means = np.zeros((len(words), learner.hidden_size), dtype=np.float32)
    np.add.at(means, owners, features(rows, objective, learner, params, batch=options.batch))
    return means / np.bincount(owners, minlength=len(words))[:, None].astype(np.float32)


def cluster_sentences(
    examples: TokenisedSet,
    objective: Objective,
    learner: Learner,
    params: Params,
    options: SentenceClustering,
    *,
    seed: int,
) -> list[Source]:
    """Return one source for each partition of the sentences; its classes are the clusters.

    Raises MetaglotError where a partition has fewer than two clusters that are large enough.
    """
    count = examples.table.num_rows
    chosen = np.sort(generator(seed, "sentences").choice(count, min(options.max_sentences, count), replace=False))
    rows = [{"input_ids": row["input_ids"], "label": 0} for row in examples.rows(chosen)]
    points = features(rows, objective, learner, params, batch=options.batch)
    sources: list[Source] = []
    for number, clusters in enumerate(options.clusters):
        codes = np.full(count, -1, dtype=np.int64)
        codes[chosen] = kmeans(points, clusters, seed=fold(seed, "partition", number))
        name = f"{examples.name}/clusters-{number + 1}"
        names = [f"cluster {c}" for c in range(clusters)]
        sources.append(source_by_code(examples, codes, names, name=name, min_per_class=options.min_per_class))
    return sources


def features(
    rows: Sequence[Row], objective: Objective, learner: Learner, params: Params, *, batch: int
) -> np.ndarray:  # [n, D] float32
    """Return the pooled features of each row, without dropout; a batch holds rows of similar length."""
    order = np.argsort([len(row["input_ids"]) for row in rows], kind="stable")
    pooled = np.empty((len(rows), learner.hidden_size), dtype=np.float32)
    for start in range(0, len(rows), batch):
        chunk = order[start : start + batch]
        inputs = {n: v.to(learner.device) for n, v in objective.collate([rows[i] for i in chunk]).items()}
        with torch.no_grad():
            pooled[chunk] = learner.forward(params, inputs).pooled.float().cpu().numpy()
    return pooled


def kmeans(points: np.ndarray, clusters: int, *, seed: int) -> np.ndarray:  # [n, D] -> [n] int32
    """Return the cluster of each point: at most `clusters`, by Lloyd's algorithm from k-means++, in batches if many."""
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    kind = KMeans if len(points) <= FULL_KMEANS else MiniBatchKMeans
    settings: dict[str, Any] = {"n_init": 1, "random_state": seed % 2**32}
    model = kind(min(clusters, len(points)), **settings)
    with threadpool_limits(limits=1):  # several threads add in the order they end, which differs from run to run
        return np.asarray(model.fit_predict(points), dtype=np.int32)
