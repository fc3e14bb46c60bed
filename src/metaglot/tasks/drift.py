"""Tasks that drift during learning: the support set is a stream, and the query set comes after its end.

SlidingLabels   label k means class a_k at first and class b_k at the end.  At time τ of the stream an example of label
                k is from b_k with probability τ: the mean of the label moves from that of a_k to that of b_k.  The
                query examples are from b_k.  With `slides=False` label k always means b_k: the task does not drift.
Histories       a task is a user, or anything else with a history: the support set has rows in the order of their time,
                the query set has the rows that follow.

The examples of a support set keep their order.  An algorithm whose inner loop is a `stream` reads one part of them at
each step; other algorithms read all of them at each step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metaglot.errors import MetaglotError
from metaglot.seeds import generator
from metaglot.tasks.sources import Source, TokenisedSet
from metaglot.types import Episode, Objective, Record, Snapshot, TaskInfo


@dataclass(frozen=True)
class SlidingLabels:
    """A distribution over streams in which each label slides from one class of a source to another."""

    source: Source
    objective: Objective
    ways: int = 3
    parts: int = 8  # points of time
    shots: int = 2  # examples of a label at each
    queries: int = 5  # of a label, after the end
    slides: bool = True

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        """The source's task, with all its classes."""
        return [self.source.info]

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        """Return episode n; raise MetaglotError for a source with too few classes or too small ones."""
        del snapshot
        self._check()
        rng = generator(seed, "sliding", n)
        first, last = rng.choice(len(self.source.members), 2 * self.ways, replace=False).reshape(2, -1)
        first = first if self.slides else last
        draws = {int(member): iter(rng.permutation(self.source.members[member])) for member in (*first, *last)}
        support = [
            (int(next(draws[int(last[label] if rng.random() < time / self.parts else first[label])])), label)
            for time in range(self.parts)
            for label in rng.permutation(np.repeat(np.arange(self.ways), self.shots)).tolist()
        ]
        query = [
            (int(next(draws[int(member)])), label) for label, member in enumerate(last) for _ in range(self.queries)
        ]
        info = self.source.info
        labels = tuple(f"{info.labels[a]} → {info.labels[b]}" for a, b in zip(first, last, strict=True))
        task = TaskInfo(info.name, info.dataset, labels, tuple(info.classes[b] for b in last), self.objective.name)
        return episode_of(self.source.examples, self.objective, task, support, query)

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        """Return the snapshot: this sampler learns nothing."""
        del records
        return snapshot

    def _check(self) -> None:
        members = self.source.members
        least = self.parts * self.shots + self.queries
        smallest = min(map(len, members))
        if min(self.parts, self.shots, self.queries) < 1 or self.ways < 2:
            raise MetaglotError(f"a drifting task needs ways ≥ 2 and parts, shots and queries ≥ 1, got {self}"[:300])
        if len(members) < 2 * self.ways or smallest < least:
            raise MetaglotError(
                f"{self.source.info.name}: {self.ways} labels that slide need {2 * self.ways} classes of {least} "
                f"examples; it has {len(members)}, the smallest with {smallest}; lower ways, parts or shots"
            )


@dataclass(frozen=True)
class Histories:
    """A distribution over histories: an episode is a window of one, first the support set and then the query set."""

    examples: TokenisedSet
    objective: Objective
    info: TaskInfo  # the labels that all histories share
    rows: tuple[np.ndarray, ...]  # for each history its rows, in the order of their time
    codes: np.ndarray  # [n] the label of each row
    support: int = 32
    query: int = 16

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        """One task: the histories share their labels."""
        return [self.info]

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        """Return episode n; raise MetaglotError where no history is long enough."""
        del snapshot
        rng, size = generator(seed, "histories", n), self.support + self.query
        candidates = [rows for rows in self.rows if len(rows) >= size]
        if not candidates or min(self.support, self.query) < 1:
            raise MetaglotError(
                f"{self.info.name}: none of {len(self.rows)} histories has {self.support} support rows and "
                f"{self.query} query rows after them (at least one each); ask for fewer"
            )
        rows = candidates[int(rng.integers(len(candidates)))]
        start = int(rng.integers(len(rows) - size + 1))
        chosen = [(int(row), int(self.codes[row])) for row in rows[start : start + size]]
        return episode_of(self.examples, self.objective, self.info, chosen[: self.support], chosen[self.support :])

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        """Return the snapshot: this sampler learns nothing."""
        del records
        return snapshot


def episode_of(
    examples: TokenisedSet,
    objective: Objective,
    task: TaskInfo,
    support: Sequence[tuple[int, int]],
    query: Sequence[tuple[int, int]],
) -> Episode:
    """Return an episode of the given rows with their labels, in the given order."""
    rows = examples.rows([i for i, _ in (*support, *query)])
    labelled = [{**row, "label": label} for row, (_, label) in zip(rows, (*support, *query), strict=True)]
    return Episode(
        task=task,
        objective=objective,
        support=objective.collate(labelled[: len(support)]),
        query=objective.collate(labelled[len(support) :]),
        rows={"support": tuple(i for i, _ in support), "query": tuple(i for i, _ in query)},
    )
