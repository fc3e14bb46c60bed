"""The plain objective, for training and for held-out text: batches of packed text, without a support set."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metaglot.errors import MetaglotError
from metaglot.metric import Measures
from metaglot.seeds import generator
from metaglot.tasks.passes import items_at
from metaglot.tasks.text import LanguageObjective, RowsOfText
from metaglot.types import Episode, Record, Snapshot, TaskInfo

HELD_OUT_SEED = 20_001  # the same masks in every run, whatever its seed


@dataclass(frozen=True)
class PlainText:
    """Episode n is the n-th batch of shuffled passes over the blocks: every block comes equally often.

    A mixture numbers the episodes of each part, so that this holds there as well.
    """

    blocks: RowsOfText
    objective: LanguageObjective
    batch: int  # blocks
    name: str = "plain"

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        """One task."""
        return [_task(self.name, self.objective)]

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        """Return an episode with an empty support set; each pass masks other tokens."""
        del snapshot
        count = _count_blocks(self.blocks, self.name)
        indices = items_at(np.arange(n * self.batch, (n + 1) * self.batch), count, seed=seed)
        return _episode(self.blocks, indices, self.objective, generator(seed, "masks", n), self.name)

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        """Return the snapshot: this sampler learns nothing."""
        del records
        return snapshot


@dataclass(frozen=True)
class HeldOut:
    """Batches 0 … `count` - 1 of held-out text, spread evenly over it, with fixed masks: the same for every seed."""

    blocks: RowsOfText
    objective: LanguageObjective
    batch: int  # blocks
    batches: int  # at most
    name: str = "held-out"

    @property
    def count(self) -> int:
        """The number of batches: `batches`, or as many as the text fills."""
        return min(self.batches, -(-_count_blocks(self.blocks, self.name) // self.batch))

    @property
    def measures(self) -> Measures:
        """What the metrics of a batch are."""
        return self.objective.measures

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        """One task."""
        return [_task(self.name, self.objective)]

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        """Return batch n with an empty support set; after the last batch comes the first again."""
        del seed, snapshot
        n %= self.count
        count = min(self.count * self.batch, len(self.blocks))
        places = np.arange(n, count, self.count)
        indices = places * len(self.blocks) // count
        return _episode(self.blocks, indices, self.objective, generator(HELD_OUT_SEED, "masks", n), self.name)

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        """Return the snapshot: this sampler learns nothing."""
        del records
        return snapshot


def _task(name: str, objective: LanguageObjective) -> TaskInfo:
    return TaskInfo(name, name, (), (), family=objective.name)


def _count_blocks(blocks: RowsOfText, name: str) -> int:
    if not len(blocks):
        raise MetaglotError(f"{name}: the text fills no block; give more text, or make blocks shorter")
    return len(blocks)


def _episode(
    blocks: RowsOfText, indices: np.ndarray, objective: LanguageObjective, rng: np.random.Generator, name: str
) -> Episode:
    return Episode(
        task=_task(name, objective),
        objective=objective,
        support={},
        query=objective.collate(objective.prepare(blocks.rows(indices), rng)),
        rows={"support": (), "query": tuple(indices.tolist())},
    )
