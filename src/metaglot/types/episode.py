"""A task as a learner meets it, and the distribution that it comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch

from metaglot.types.objective import Objective
from metaglot.types.values import Batch, Record, Snapshot, TaskInfo


@dataclass(frozen=True)
class Episode:
    """One task as the learner meets it."""

    task: TaskInfo
    objective: Objective
    support: Batch
    query: Batch
    rows: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # provenance: support and query row numbers

    @property
    def family(self) -> Objective:
        """The objective, by its name in earlier versions."""
        return self.objective

    def to(self, device: torch.device) -> "Episode":
        """Return the episode with its tensors on `device`."""
        if device.type == "cpu":
            return self
        support, query = ({name: value.to(device) for name, value in b.items()} for b in (self.support, self.query))
        return replace(self, support=support, query=query)


class TaskDistribution(Protocol):
    """A distribution over tasks, as a pure function from (seed, n, snapshot) to an episode."""

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        """Every task it can draw, whole (before classes are chosen for an episode)."""
        ...

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        """Return episode number n."""
        ...

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        """Return the snapshot after a step; a sampler that does not learn returns it unchanged."""
        ...
