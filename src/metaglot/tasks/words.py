"""The words of an SMLMT episode: all equally likely, by log frequency, or words that are alike.

`choose` draws without replacement, one word after the other; a word with a count of 0 is never drawn.
Bansal et al. 2021, https://arxiv.org/abs/2111.01322
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from metaglot.errors import MetaglotError
from metaglot.seeds import fold
from metaglot.tasks.clusters import WORD_CLUSTERING, Vectors, WordClustering, assign_words
from metaglot.types import Snapshot

ASSIGNMENT = "assignment"  # in a snapshot: [W], the cluster of each word, -1 for none


class WordSampler(Protocol):
    """A distribution over sets of words."""

    def choose(self, counts: np.ndarray, n: int, rng: np.random.Generator, snapshot: Snapshot) -> np.ndarray:
        """Return the numbers of n words; `counts` [W] are the numbers of sentences that hold each word."""
        ...


@runtime_checkable
class LearningSampler(Protocol):
    """A word sampler that reads the model (`tasks.learning.LearnsFromModel`)."""

    @property
    def every(self) -> int:
        """Steps between two readings."""
        ...

    def refresh(self, snapshot: Snapshot, counts: np.ndarray, vectors: Vectors, *, step: int) -> Snapshot:
        """Return a new snapshot; `vectors` gives the vectors of words by the current model."""
        ...


@dataclass(frozen=True)
class Uniform:
    """p(w) = 1/W."""

    def choose(self, counts: np.ndarray, n: int, rng: np.random.Generator, snapshot: Snapshot) -> np.ndarray:
        """Return n words, each as likely as any other."""
        del snapshot
        return rng.choice(_check_enough(np.flatnonzero(counts), n), n, replace=False)


@dataclass(frozen=True)
class LogFrequency:
    """p(w) ∝ log count(w): common words come more often than rare ones, but less often than in the text."""

    def choose(self, counts: np.ndarray, n: int, rng: np.random.Generator, snapshot: Snapshot) -> np.ndarray:
        """Return n words; a word in a single sentence has log 1 = 0 and is never drawn."""
        del snapshot
        words = _check_enough(np.flatnonzero(counts > 1), n)
        weights = np.log(counts[words])
        return rng.choice(words, n, replace=False, p=weights / weights.sum())


@dataclass(frozen=True)
class Clusters:
    """A share `within` of episodes takes its words from one cluster, which is hard; the others take any words.

    Clusters with enough words are drawn in proportion to their words; a word within a cluster is drawn uniformly.
    """

    assignment: np.ndarray  # [W] cluster of each word, -1 for none; `clusters.cluster_words` makes one
    within: float = 1.0

    def choose(self, counts: np.ndarray, n: int, rng: np.random.Generator, snapshot: Snapshot) -> np.ndarray:
        """Return n words, of one cluster or of all clusters; of all where no cluster has n words."""
        if len(self.assignment) != len(counts):
            raise MetaglotError(
                f"the clusters have {len(self.assignment)} words, the index has {len(counts)}; cluster the words of "
                "the index"
            )
        drawable = (counts > 0) & (self.assignment >= 0)
        sizes = np.bincount(self.assignment[drawable], minlength=1)
        large = np.flatnonzero(sizes >= n)
        if rng.random() >= self.within or len(large) == 0:
            return Uniform().choose(counts, n, rng, snapshot)
        cluster = rng.choice(large, p=sizes[large] / sizes[large].sum())
        return rng.choice(np.flatnonzero(drawable & (self.assignment == cluster)), n, replace=False)


@dataclass(frozen=True)
class Curriculum:
    """Clusters that the current model makes anew at every `every` steps; before the first time, `LogFrequency`."""

    clustering: WordClustering = WORD_CLUSTERING
    within: float = 1.0
    every: int = 1000  # steps
    seed: int = 0

    def choose(self, counts: np.ndarray, n: int, rng: np.random.Generator, snapshot: Snapshot) -> np.ndarray:
        """Return n words by the assignment in the snapshot."""
        if ASSIGNMENT not in snapshot:
            return LogFrequency().choose(counts, n, rng, snapshot)
        return Clusters(snapshot[ASSIGNMENT].cpu().numpy(), self.within).choose(counts, n, rng, snapshot)

    def refresh(self, snapshot: Snapshot, counts: np.ndarray, vectors: Vectors, *, step: int) -> Snapshot:
        """Return the snapshot with a new assignment, a function of the model and (seed, step)."""
        seed = fold(self.seed, "curriculum", step)
        assignment = assign_words(counts, vectors, self.clustering, seed=seed)
        return {**snapshot, ASSIGNMENT: torch.from_numpy(assignment)}


def _check_enough(words: np.ndarray, n: int) -> np.ndarray:
    if len(words) < n:
        raise MetaglotError(
            f"an episode needs {n} words, and {len(words)} words have enough sentences; ask for fewer ways, shots or "
            "queries, index rarer words (min_count), or give more text"
        )
    return words
