"""A mixture of task distributions: episode n comes from one of them, chosen by weight.

    p_i(n) ∝ (1 − t)·w_i + t·u_i,   t = min(1, n / over)

Each part counts its own episodes, so that one that walks through a corpus leaves nothing out.  A bound on the loss of
one part b (the plain objective beside meta-learning, which costs perplexity) is kept by dual ascent on its log-odds:

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
    most: float = 5.0  # the shift's end: with even weights, 99 of 100 episodes are then the part's


class _Law(NamedTuple):
    weights: tuple[float, ...]
    until: tuple[float, ...]
    over: int  # episodes

    def shares(self, n: np.ndarray) -> np.ndarray:  # [m] -> [m, parts]
        done = np.minimum(1.0, n / self.over)[:, None] if self.over else np.zeros((len(n), 1))
        raw = (1 - done) * np.array(self.weights) + done * np.array(self.until)
        return raw / raw.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class MixtureOf:
    """Draws from `parts` in the proportion of `weights`, which go linearly to `until` over `over` episodes."""

    parts: tuple[TaskDistribution, ...]
    weights: tuple[float, ...]
    until: tuple[float, ...] | None = None
    over: int = 0  # episodes; with 0 the weights stay
    bound: Bound | None = None

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        """The tasks of all parts."""
        return [task for part in self.parts for task in part.tasks]

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        """Return episode n: the next one of the part that (seed, n) chooses, each part with a seed of its own.

        Episodes that only the bound gives to its part are numbered by n under another seed, since how many came
        before is not a function of (seed, n).  Raises MetaglotError for weights or a bound that cannot be.
        """
        part, number = _chosen(self._law, seed, n)
        if self.bound is not None and part != self.bound.part and self._raised(seed, n, snapshot):
            part, number, seed = self.bound.part, n, fold(seed, "bound")
        return self.parts[part](fold(seed, "part", part), number, _of(part, snapshot))

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        """Return the snapshots of all parts, each under its number, and what the bound keeps.

        Where nothing changes, that is the very snapshot given, so that episodes can be drawn ahead.
        """
        bounded = self._bounded(snapshot, records)
        updated = {**snapshot, **bounded} if bounded else snapshot
        for i, part in enumerate(self.parts):
            before = _of(i, updated)
            updated = _with(updated, i, before, part.update(before, records))
        return updated

    @property
    def every(self) -> int:
        """Steps between two readings of the model: the greatest common divisor of the parts'."""
        return math.gcd(*(part.every for part in self.parts if isinstance(part, LearnsFromModel))) or 1

    def refresh(self, snapshot: Snapshot, learner: Learner, params: Params, *, step: int) -> Snapshot:
        """Return the snapshot with the parts refreshed whose turn it is."""
        updated = snapshot
        for i, part in enumerate(self.parts):
            if isinstance(part, LearnsFromModel) and step % part.every == 0:
                before = _of(i, updated)
                updated = _with(updated, i, before, part.refresh(before, learner, params, step=step))
        return updated

    def shares(self, n: int, snapshot: Snapshot) -> tuple[float, ...]:
        """Return the probability of each part for episode n, the bound's shift included."""
        plain = self._law.shares(np.array([n]))[0]
        if self.bound is not None:
            taken = self._taken(n, snapshot)
            plain = plain * (1 - taken)
            plain[self.bound.part] += taken
        return tuple(plain.tolist())

    @cached_property
    def _law(self) -> _Law:
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
        return _Law(tuple(self.weights), tuple(until), self.over)

    @cached_property
    def _bounded_tasks(self) -> frozenset[str]:
        return frozenset() if self.bound is None else frozenset(t.name for t in self.parts[self.bound.part].tasks)

    def _raised(self, seed: int, n: int, snapshot: Snapshot) -> bool:
        taken = self._taken(n, snapshot)
        return taken > 0 and bool(generator(seed, "bound", n).random() < taken)

    def _taken(self, n: int, snapshot: Snapshot) -> float:
        """Return which share of the other parts' episodes goes to the bounded part, so that its log-odds rise by s.

        x / (1 + x) with x = p (eˢ − 1).
        """
        if self.bound is None or SHIFT not in snapshot:
            return 0.0
        x = self._law.shares(np.array([n]))[0, self.bound.part] * math.expm1(float(snapshot[SHIFT]))
        return float(x / (1 + x))

    def _bounded(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        if self.bound is None:
            return {}
        losses = [float(r["loss"]) for r in records if r.get("task") in self._bounded_tasks and "loss" in r]
        mean = float(snapshot[MEAN]) if MEAN in snapshot else None
        for loss in losses:
            mean = loss if mean is None else self.bound.memory * mean + (1 - self.bound.memory) * loss
        if mean is None:
            return {}
        before = float(snapshot[SHIFT]) if SHIFT in snapshot else 0.0
        shift = min(self.bound.most, max(0.0, before + self.bound.rate * (mean - self.bound.nats)))
        if shift == before and not losses:
            return {}
        return {MEAN: torch.tensor(mean), SHIFT: torch.tensor(shift)}


def _chosen(law: _Law, seed: int, n: int) -> tuple[int, int]:
    """Return the part of episode n, and how many episodes before n are of the same part."""
    window, at = divmod(n, WINDOW)
    parts = _window(law, seed, window)
    part = int(parts[at])
    before = sum(_counts(law, seed, earlier)[part] for earlier in range(window))
    return part, before + int(np.count_nonzero(parts[:at] == part))


# Both are remembered only because they are asked for again and again: they are functions of their arguments.
@lru_cache(maxsize=16)
def _window(law: _Law, seed: int, window: int) -> np.ndarray:  # [WINDOW] part
    n = np.arange(window * WINDOW, (window + 1) * WINDOW)
    edges = np.cumsum(law.shares(n), axis=1)[:, :-1]
    return (generator(seed, "mixture", window).random(WINDOW)[:, None] >= edges).sum(axis=1)


@lru_cache(maxsize=1 << 14)
def _counts(law: _Law, seed: int, window: int) -> tuple[int, ...]:
    return tuple(np.bincount(_window(law, seed, window), minlength=len(law.weights)).tolist())


def _of(part: int, snapshot: Snapshot) -> Snapshot:
    prefix = f"{part}."
    return {name.removeprefix(prefix): value for name, value in snapshot.items() if name.startswith(prefix)}


def _with(snapshot: Snapshot, part: int, before: Snapshot, after: Snapshot) -> Snapshot:
    """Return the snapshot with what a part made of its own; the very same where that is what it was."""
    if after is before:
        return snapshot
    others = {name: value for name, value in snapshot.items() if not name.startswith(f"{part}.")}
    return others | {f"{part}.{name}": value for name, value in after.items()}
