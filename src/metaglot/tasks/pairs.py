"""Contrastive pairs: do two sentences come from one place of one document, or from two documents?

Half the pairs of an episode are two sentences near each other in a document.  Of the other pairs, a share has both
sentences from one domain, so that neither author nor subject alone gives the answer.  The meaning of the labels changes
from episode to episode, so that only the support set shows it.
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
TRIES = 100  # draws of a pair until both sentences are new in the episode


class Closeness(NamedTuple):
    """Which sentences make a pair."""

    window: int = 4  # largest distance, in sentences, of two near ones
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
    closeness: Closeness = CLOSENESS

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
        rows = self.sentences.examples.rows([sentence for pair, _ in labelled for sentence in pair])
        joined = [self.joining.join(rows[place], rows[place + 1]) for place in range(0, len(rows), 2)]
        return [{**row, "label": label} for row, (_, label) in zip(joined, labelled, strict=True)]

    def _pair(self, same: int, used: set[int], rng: np.random.Generator) -> tuple[int, int]:
        """Return two sentences that are not used yet, in the order of their draw, and add them to `used`."""
        order = self._order
        hard = rng.random() < self.closeness.hard
        for _ in range(TRIES):
            place = int(rng.integers(len(order.sentence)))
            other = self._near(place, rng) if same else self._far(place, hard=hard, rng=rng)
            pair = int(order.sentence[place]), int(order.sentence[other])
            if used.isdisjoint(pair):
                used.update(pair)
                return pair
        raise MetaglotError(
            f"{self.sentences.examples.name}: too few sentences ({len(order.sentence)}) for an episode of pairs; ask "
            "for fewer shots or queries, or give more text"
        )

    def _near(self, place: int, rng: np.random.Generator) -> int:
        first, end = self._order.document[place]
        low, high = max(int(first), place - self.closeness.window), min(int(end), place + self.closeness.window + 1)
        other = int(rng.integers(low, high - 1))
        return other + (other >= place)

    def _far(self, place: int, *, hard: bool, rng: np.random.Generator) -> int:
        order = self._order
        first, end = (int(edge) for edge in order.document[place])
        low, high = (int(edge) for edge in order.domain[place])
        if not hard or high - low == end - first:  # the only document of its domain
            low, high = 0, len(order.sentence)
        other = int(rng.integers(low, high - (end - first)))
        return other + (end - first) * (other >= first)

    @cached_property
    def _order(self) -> _Order:
        domain, document = self.sentences.domain, self.sentences.document
        order = np.lexsort((document, domain))
        key = np.stack([domain[order], document[order]])
        spans = _runs(key)
        kept = spans[:, 1] - spans[:, 0] > 1
        order, key = order[kept], key[:, kept]
        of_document = _runs(key)
        if len(np.unique(of_document[:, 0])) < 2:
            raise MetaglotError(
                f"{self.sentences.examples.name}: pairs need two documents of two sentences each; give more text"
            )
        return _Order(order, of_document, _runs(key[:1]))


def _runs(keys: np.ndarray) -> np.ndarray:  # [k, m] -> [m, 2]
    """Return for each place the start and the end of its run of equal keys."""
    changes = np.flatnonzero((np.diff(keys, axis=1) != 0).any(axis=0)) + 1
    edges = np.unique(np.concatenate([[0], changes, [keys.shape[1]]]))
    lengths = np.diff(edges)
    return np.stack([np.repeat(edges[:-1], lengths), np.repeat(edges[1:], lengths)], axis=1)
