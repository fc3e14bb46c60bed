"""A mixture of task distributions: episode n comes from one of them, chosen by weight.

    p_i(n) ∝ (1 − t)·w_i + t·u_i,   t = min(1, n / duration)

Each part counts its own episodes, so that a part that reads a corpus in order leaves nothing out.  The loss of one part
b (the plain objective, since meta-learning raises perplexity) can have a bound; dual ascent on its log-odds keeps it:

    log p_b/(1 − p_b) is raised by s ≥ 0,   s ← clip(s + rate·(mean loss − bound), 0, most) after each step
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import torch

from metaglot.errors import MetaglotError
from metaglot.seeds import fold, generator
from metaglot.tasks.learning import LearnsFromModel
from metaglot.types import Episode, Learner, Params, Record, Snapshot, TaskDistribution, TaskInfo

WINDOW = 4096  # episodes whose parts are drawn together
MEAN, SHIFT = "bound.mean", "bound.shift"  # in the snapshot


class Bound(NamedTuple):
    """An upper bound on the loss of a part."""

    part: int
    nats: float
    rate: float = 0.05  # of the shift, a step and a nat above the bound
    memory: float = 0.9  # of the exponential mean of the losses, an episode
    most: float = 5.0  # the largest shift: with even weights, 99 of 100 episodes are then of this part


class _Schedule(NamedTuple):
    weights: tuple[float, ...]
    until: tuple[float, ...]
    duration: int  # episodes

    def shares(self, n: np.ndarray) -> np.ndarray:  # [m] -> [m, parts]
        progress = np.minimum(1.0, n / self.duration)[:, None] if self.duration else np.zeros((len(n), 1))
        weights = (1 - progress) * np.array(self.weights) + progress * np.array(self.until)
        return weights / weights.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class MixtureOf:
    """Draws from `parts` in the proportion of `weights`, which go linearly to `until` duration `duration` episodes."""

    parts: tuple[TaskDistribution, ...]
    weights: tuple[float, ...]
    until: tuple[float, ...] | None = None
    duration: int = 0  # episodes; with 0 the weights stay
    bound: Bound | None = None

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        """The tasks of all parts."""
        return [task for part in self.parts for task in part.tasks]

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        """Return episode n: the next one of the part that (seed, n) chooses, each part with a seed of its own.

        Extra episodes of the part with a bound are numbered by n under another seed, since the number of earlier ones
        is not a function of (seed, n).  Raises MetaglotError for wrong weights or a wrong bound.
        """
        part, number = _part_and_number(self._schedule, seed, n)
        if self.bound is not None and part != self.bound.part and self._bound_takes(seed, n, snapshot):
            part, number, seed = self.bound.part, n, fold(seed, "bound")
        return self.parts[part](fold(seed, "part", part), number, _own_snapshot(part, snapshot))

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        """Return the snapshots of all parts, each under its number, and the state of the bound.

        Where nothing changes, the given snapshot itself is returned, so that episodes can be drawn ahead.
        """
        bounded = self._bound_state(snapshot, records)
        updated = {**snapshot, **bounded} if bounded else snapshot
        for i, part in enumerate(self.parts):
            own = _own_snapshot(i, updated)
            updated = _with_own_snapshot(updated, i, own, part.update(own, records))
        return updated

    @property
    def every(self) -> int:
        """Steps between two readings of the model: the greatest common divisor of the parts'."""
        return math.gcd(*(part.every for part in self.parts if isinstance(part, LearnsFromModel))) or 1

    def refresh(self, snapshot: Snapshot, learner: Learner, params: Params, *, step: int) -> Snapshot:
        """Return the snapshot; the parts whose interval divides `step` are refreshed."""
        updated = snapshot
        for i, part in enumerate(self.parts):
            if isinstance(part, LearnsFromModel) and step % part.every == 0:
                own = _own_snapshot(i, updated)
                updated = _with_own_snapshot(updated, i, own, part.refresh(own, learner, params, step=step))
        return updated

    def shares(self, n: int, snapshot: Snapshot) -> tuple[float, ...]:
        """Return the probability of each part for episode n, the bound's shift included."""
        shares = self._schedule.shares(np.array([n]))[0]
        if self.bound is not None:
            extra = self._extra_share(n, snapshot)
            shares = shares * (1 - extra)
            shares[self.bound.part] += extra
        return tuple(shares.tolist())

    @cached_property
    def _schedule(self) -> _Schedule:
        until = self.weights if self.until is None else self.until
        for name, weights in (("weights", self.weights), ("until", until)):
            if len(weights) != len(self.parts) or min(weights, default=-1.0) < 0 or not 0 < sum(weights) < math.inf:
                raise MetaglotError(
                    f"a mixture of {len(self.parts)} needs as many {name}, none below 0 and one above; got {weights}"
                )
        if self.bound is not None and min(self.weights[self.bound.part], until[self.bound.part]) <= 0:
            raise MetaglotError(
                "a part whose loss is bounded needs a weight above 0, from the first episode to the last"
            )
        return _Schedule(tuple(self.weights), tuple(until), self.duration)

    @cached_property
    def _bounded_tasks(self) -> frozenset[str]:
        return frozenset() if self.bound is None else frozenset(t.name for t in self.parts[self.bound.part].tasks)

    def _bound_takes(self, seed: int, n: int, snapshot: Snapshot) -> bool:
        extra = self._extra_share(n, snapshot)
        return extra > 0 and bool(generator(seed, "bound", n).random() < extra)

    def _extra_share(self, n: int, snapshot: Snapshot) -> float:
        """Return the share of the other parts' episodes that goes to the part with a bound: its log-odds rise by s.

        x / (1 + x) with x = p (eˢ − 1).
        """
        if self.bound is None or SHIFT not in snapshot:
            return 0.0
        x = self._schedule.shares(np.array([n]))[0, self.bound.part] * math.expm1(float(snapshot[SHIFT]))
        return float(x / (1 + x))

    def _bound_state(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        if self.bound is None:
            return {}
        losses = [
            float(record["loss"])
            for record in records
            if record.get("task") in self._bounded_tasks and "loss" in record
        ]
        mean = float(snapshot[MEAN]) if MEAN in snapshot else None
        for loss in losses:
            mean = loss if mean is None else self.bound.memory * mean + (1 - self.bound.memory) * loss
        if mean is None:
            return {}
        old_shift = float(snapshot[SHIFT]) if SHIFT in snapshot else 0.0
        shift = min(self.bound.most, max(0.0, old_shift + self.bound.rate * (mean - self.bound.nats)))
        if shift == old_shift and not losses:
            return {}
        return {MEAN: torch.tensor(mean), SHIFT: torch.tensor(shift)}


def _part_and_number(schedule: _Schedule, seed: int, n: int) -> tuple[int, int]:
    """Return the part of episode n, and how many episodes before n are of the same part."""
    window, place = divmod(n, WINDOW)
    parts = _window(schedule, seed, window)
    part = int(parts[place])
    number = sum(_counts(schedule, seed, earlier)[part] for earlier in range(window))
    return part, number + int(np.count_nonzero(parts[:place] == part))


# Both are pure functions, cached because each window is needed many times.
@lru_cache(maxsize=16)
def _window(schedule: _Schedule, seed: int, window: int) -> np.ndarray:  # [WINDOW] part
    n = np.arange(window * WINDOW, (window + 1) * WINDOW)
    edges = np.cumsum(schedule.shares(n), axis=1)[:, :-1]
    return (generator(seed, "mixture", window).random(WINDOW)[:, None] >= edges).sum(axis=1)


@lru_cache(maxsize=1 << 14)
def _counts(schedule: _Schedule, seed: int, window: int) -> tuple[int, ...]:
    return tuple(np.bincount(_window(schedule, seed, window), minlength=len(schedule.weights)).tolist())


def _own_snapshot(part: int, snapshot: Snapshot) -> Snapshot:
    prefix = f"{part}."
    return {name.removeprefix(prefix): value for name, value in snapshot.items() if name.startswith(prefix)}


def _with_own_snapshot(snapshot: Snapshot, part: int, before: Snapshot, after: Snapshot) -> Snapshot:
    """Return the snapshot with the new one of a part; the given snapshot itself where the part changed nothing."""
    if after is before:
        return snapshot
    others = {name: value for name, value in snapshot.items() if not name.startswith(f"{part}.")}
    return others | {f"{part}.{name}": value for name, value in after.items()}
