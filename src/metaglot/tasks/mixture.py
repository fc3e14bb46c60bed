"""A mixture of task distributions: episode n comes from one of them, chosen by weight."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from metaglot.seeds import generator
from metaglot.types import Episode, Record, Snapshot, TaskDistribution, TaskInfo


@dataclass(frozen=True)
class MixtureOf:
    """Draws from `parts` in the proportion of `weights`."""

    parts: tuple[TaskDistribution, ...]
    weights: tuple[float, ...]

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        """The tasks of all parts."""
        return [task for part in self.parts for task in part.tasks]

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        """Return episode n of the part that (seed, n) chooses."""
        p = np.asarray(self.weights, dtype=float)
        part = int(generator(seed, "mixture", n).choice(len(self.parts), p=p / p.sum()))
        return self.parts[part](seed, n, _of(part, snapshot))

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        """Return the snapshots of all parts, each under its number."""
        updated: dict[str, Tensor] = {}
        for i, part in enumerate(self.parts):
            new = part.update(_of(i, snapshot), records)
            updated |= {f"{i}.{name}": value for name, value in new.items()}
        return updated


def _of(part: int, snapshot: Snapshot) -> Snapshot:
    prefix = f"{part}."
    return {name.removeprefix(prefix): value for name, value in snapshot.items() if name.startswith(prefix)}
