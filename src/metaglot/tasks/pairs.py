"""Contrastive pairs: do two sentences come from one place of one document, or from two documents?

Half the pairs of an episode stand near each other in a document.  Of the others, a share has both sentences from one
domain, so that neither author nor subject alone gives the answer.  Which label means which changes from episode to
episode, so that it has to be read off the support set.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from metaglot.errors import MetaglotError
from metaglot.seeds import generator
from metaglot.tasks.joining import Joining
from metaglot.tasks.shape import Shape, draw_shots, draw_ways
from metaglot.tasks.text import Sentences
from metaglot.types import Episode, Objective, Record, Row, Snapshot, TaskInfo

LABELS = ("two documents", "one document")
TRIES = 100  # for a pair of sentences that are not yet in the episode


class Closeness(NamedTuple):
    """Which sentences make a pair."""

    window: int = 4  # sentences between which two of one document count as near
    hard: float = 0.5  # share of the other pairs that are of one domain


CLOSENESS = Closeness()


class _Order(NamedTuple):
    """Sentences sorted by domain and document; only documents with two or more."""

    sentence: np.ndarray  # [m] number
    document: np.ndarray  # [m, 2] first place of its document, and the one after the last
    domain: np.ndarray  # [m, 2]


@dataclass(frozen=True)
class SentencePairs:
    """A distribution over two-way tasks on pairs of sentences."""

    sentences: Sentences
    objective: Objective
    shape: Shape  # ways do not matter: there are two
    joining: Joining
    close: Closeness = CLOSENESS

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        """One task."""
        return [self._task((0, 1))]

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        """Return episode n: as many pairs of one document as of two, no sentence in two pairs."""
        del snapshot
        rng = generator(seed, "pairs", n)
        shape = self.shape._replace(ways=(2, 2))
        shots, queries = draw_shots(shape, draw_ways(shape, 2, rng), shape.shots[1] + shape.queries, rng)
        classes = (0, 1) if rng.random() < 0.5 else (1, 0)
        used: set[int] = set()
        pairs = [[self._pair(c, used, rng) for _ in range(shots + queries)] for c in classes]
        support = [(pair, label) for label in (0, 1) for pair in pairs[label][:shots]]
        query = [(pair, label) for label in (0, 1) for pair in pairs[label][shots:]]
        return Episode(
            task=self._task(classes),
            objective=self.objective,
            support=self.objective.collate(self._rows(support)),
            query=self.objective.collate(self._rows(query)),
            rows={
                "support": tuple(sentence for pair, _ in support for sentence in pair),
                "query": tuple(sentence for pair, _ in query for sentence in pair),
            },
        )

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        """Return the snapshot: this sampler learns nothing."""
        del records
        return snapshot

    def _task(self, classes: tuple[int, int]) -> TaskInfo:
        name = f"{self.sentences.examples.name}/pairs"
        return TaskInfo(name, name, tuple(LABELS[c] for c in classes), classes, family=self.objective.name)

    def _rows(self, labelled: Sequence[tuple[tuple[int, int], int]]) -> list[Row]:
        found = self.sentences.examples.rows([sentence for pair, _ in labelled for sentence in pair])
        joined = [self.joining.join(found[i], found[i + 1]) for i in range(0, len(found), 2)]
        return [{**row, "label": label} for row, (_, label) in zip(joined, labelled, strict=True)]

    def _pair(self, same: int, used: set[int], rng: np.random.Generator) -> tuple[int, int]:
        """Return two sentences that are not used yet, in the order they were drawn, and note them as used."""
        order = self._order
        hard = rng.random() < self.close.hard
        for _ in range(TRIES):
            at = int(rng.integers(len(order.sentence)))
            other = self._near(at, rng) if same else self._far(at, hard=hard, rng=rng)
            pair = int(order.sentence[at]), int(order.sentence[other])
            if used.isdisjoint(pair):
                used.update(pair)
                return pair
        raise MetaglotError(
            f"{self.sentences.examples.name}: too few sentences ({len(order.sentence)}) for an episode of pairs; ask "
            "for fewer shots or queries, or give more text"
        )

    def _near(self, at: int, rng: np.random.Generator) -> int:
        first, end = self._order.document[at]
        low, high = max(int(first), at - self.close.window), min(int(end), at + self.close.window + 1)
        other = int(rng.integers(low, high - 1))
        return other + (other >= at)

    def _far(self, at: int, *, hard: bool, rng: np.random.Generator) -> int:
        order = self._order
        first, end = (int(x) for x in order.document[at])
        low, high = (int(x) for x in order.domain[at])
        if not hard or high - low == end - first:  # the only document of its domain
            low, high = 0, len(order.sentence)
        other = int(rng.integers(low, high - (end - first)))
        return other + (end - first) * (other >= first)

    @cached_property
    def _order(self) -> _Order:
        domain, document = self.sentences.domain, self.sentences.document
        order = np.lexsort((document, domain))
        key = np.stack([domain[order], document[order]])
        spans = _spans(key)
        kept = spans[:, 1] - spans[:, 0] > 1
        order, key = order[kept], key[:, kept]
        of_document = _spans(key)
        if len(np.unique(of_document[:, 0])) < 2:
            raise MetaglotError(
                f"{self.sentences.examples.name}: pairs need two documents of two sentences each; give more text"
            )
        return _Order(order, of_document, _spans(key[:1]))


def _spans(keys: np.ndarray) -> np.ndarray:  # [k, m] -> [m, 2]
    """Return for each place the first and the end of the run of equal keys it stands in."""
    changes = np.flatnonzero((np.diff(keys, axis=1) != 0).any(axis=0)) + 1
    edges = np.unique(np.concatenate([[0], changes, [keys.shape[1]]]))
    lengths = np.diff(edges)
    return np.stack([np.repeat(edges[:-1], lengths), np.repeat(edges[1:], lengths)], axis=1)
