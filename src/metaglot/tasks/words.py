"""Which words an SMLMT episode asks for: any, by log frequency, or words that are alike.

`choose` draws without replacement, one word after the other, from those with a count; a count of 0 leaves a word out.
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
        """Return the numbers of n words; `counts` [W] are sentences that hold each."""
        ...


@runtime_checkable
class LearningSampler(Protocol):
    """A word sampler that reads the model (`tasks.learning.LearnsFromModel`)."""

    @property
    def every(self) -> int:
        """Steps between two readings."""
        ...

    def refresh(self, snapshot: Snapshot, counts: np.ndarray, vectors: Vectors, *, step: int) -> Snapshot:
        """Return the snapshot remade; `vectors` are of the words as the model sees them now."""
        ...


@dataclass(frozen=True)
class Uniform:
    """p(w) = 1/W."""

    def choose(self, counts: np.ndarray, n: int, rng: np.random.Generator, snapshot: Snapshot) -> np.ndarray:
        """Return n words, each as likely as any other."""
        del snapshot
        return rng.choice(_enough(np.flatnonzero(counts), n), n, replace=False)


@dataclass(frozen=True)
class LogFrequency:
    """p(w) ∝ log count(w): common words more often than rare ones, but not as often as they stand in text."""

    def choose(self, counts: np.ndarray, n: int, rng: np.random.Generator, snapshot: Snapshot) -> np.ndarray:
        """Return n words; one that stands in a single sentence has log 1 = 0 and is never drawn."""
        del snapshot
        words = _enough(np.flatnonzero(counts > 1), n)
        weights = np.log(counts[words])
        return rng.choice(words, n, replace=False, p=weights / weights.sum())


@dataclass(frozen=True)
class Clusters:
    """A share `within` of episodes takes all its words from one cluster, which makes it hard; others from all words.

    A cluster is chosen in proportion to its words, among those with enough of them; a word within it uniformly.
    """

    assignment: np.ndarray  # [W] cluster of each word, -1 for none; `clusters.cluster_words` makes one
    within: float = 1.0

    def choose(self, counts: np.ndarray, n: int, rng: np.random.Generator, snapshot: Snapshot) -> np.ndarray:
        """Return n words, of one cluster or of all; of all as well where no cluster has n words."""
        if len(self.assignment) != len(counts):
            raise MetaglotError(
                f"the clusters are of {len(self.assignment)} words, the index has {len(counts)}; cluster its own words"
            )
        drawable = (counts > 0) & (self.assignment >= 0)
        sizes = np.bincount(self.assignment[drawable], minlength=1)
        fit = np.flatnonzero(sizes >= n)
        if rng.random() >= self.within or len(fit) == 0:
            return Uniform().choose(counts, n, rng, snapshot)
        cluster = rng.choice(fit, p=sizes[fit] / sizes[fit].sum())
        return rng.choice(np.flatnonzero(drawable & (self.assignment == cluster)), n, replace=False)


@dataclass(frozen=True)
class Curriculum:
    """Clusters remade by the current model every so many steps; until the first time as `LogFrequency`."""

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


def _enough(words: np.ndarray, n: int) -> np.ndarray:
    if len(words) < n:
        raise MetaglotError(
            f"an episode needs {n} words and {len(words)} stand in enough sentences; ask for fewer ways, shots or "
            "queries, index rarer words (min_count), or give more text"
        )
    return words
