"""Simulations that measure how often an interval covers the true value."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from metaglot.evaluation.statistics.intervals import (
    Interval,
    Key,
    bootstrap_interval,
    macro_interval,
    over_tasks,
    t_interval,
)
from metaglot.evaluation.statistics.levels import two_level
from metaglot.evaluation.statistics.paired import cohen_dz
from metaglot.seeds import fold

RESAMPLES = 1000  # of a bootstrap within a simulation


class CoverageResult(NamedTuple):
    """The share of trials in which an interval of nominal 95 % covered the true value."""

    interval: str
    sample: str
    coverage: float
    trials: int


Draw = Callable[[np.random.Generator], Sequence[float]]


def coverage(
    interval: Callable[[Sequence[float]], Interval], draw: Draw, *, truth: float, trials: int, seed: int = 0
) -> float:
    """Return the share of simulated samples whose `interval` covers `truth`."""
    rng = np.random.default_rng(seed)
    hits = 0
    for _ in range(trials):
        result = interval(draw(rng))
        hits += result.low <= truth <= result.high
    return hits / trials


def coverage_table(*, trials: int, seed: int = 0) -> Iterator[CoverageResult]:
    """Yield the coverage of each kind of interval on samples like those of an evaluation."""
    for number, (name, sample, interval, draw, truth) in enumerate(_cases()):
        share = coverage(interval, draw, truth=truth, trials=trials, seed=fold(seed, "coverage", number))
        yield CoverageResult(name, sample, share, trials)


def grid(values: np.ndarray) -> dict[Key, float]:
    """Return values [tasks, draws] as the scores of one shot."""
    return {(str(task), 1, draw): float(value) for task, row in enumerate(values) for draw, value in enumerate(row)}


def two_levels(rng: np.random.Generator, *, tasks: int, draws: int, between: float, within: float) -> np.ndarray:
    """Return values [tasks, draws] = task + draw, both normal with these standard deviations, of mean 0."""
    return rng.normal(0, between, (tasks, 1)) + rng.normal(0, within, (tasks, draws))


_Case = tuple[str, str, Callable[[Sequence[float]], Interval], Draw, float]


def _cases() -> Iterator[_Case]:
    def accuracies(n: int) -> Draw:
        return lambda rng: (rng.binomial(300, 0.7, n) / 300).tolist()

    def normal(n: int) -> Draw:
        return lambda rng: rng.normal(0.8, 1, n).tolist()

    def skewed(n: int) -> Draw:
        return lambda rng: rng.beta(2, 4, n).tolist()

    for n in (5, 10, 50):
        yield "t", f"{n} accuracies of 300 queries", t_interval, accuracies(n), 0.7
    for n in (5, 10, 30):
        yield "bootstrap", f"{n} accuracies of 300 queries", _bootstrap, accuracies(n), 0.7
        yield "bootstrap", f"{n} skewed values (beta 2, 4)", _bootstrap, skewed(n), 1 / 3
    for n in (5, 10, 30):
        yield "Cohen's d_z", f"{n} normal differences, d_z = 0.8", cohen_dz, normal(n), 0.8
    yield from _level_cases()
    for pool in (8, 25, 50, 250):
        yield (
            "t",
            f"10 draws of 8 from the same {pool} normal values, their means",
            t_interval,
            _draws_of_one_pool(pool),
            0.0,
        )


def _draws_of_one_pool(pool: int) -> Draw:
    """Return means of 8 values of one pool: draws from a class with few texts share some of them."""

    def draw(rng: np.random.Generator) -> Sequence[float]:
        values = rng.normal(0, 1, pool)
        return [float(rng.permutation(values)[:8].mean()) for _ in range(10)]

    return draw


def _level_cases() -> Iterator[_Case]:
    for tasks in (5, 7, 10, 20, 40):
        for between, within in ((2.0, 1.0), (1.0, 2.0), (0.0, 1.0)):
            sample = f"{tasks} tasks × 5 draws, σ_tasks {between:g}, σ_draws {within:g}"

            def draw(
                rng: np.random.Generator, t: int = tasks, b: float = between, w: float = within
            ) -> Sequence[float]:
                return two_levels(rng, tasks=t, draws=5, between=b, within=w).ravel().tolist()

            yield "tasks and draws", sample, lambda v: two_level(_scores(v), resamples=RESAMPLES), draw, 0.0
            if between == 2.0:
                yield "tasks alone", sample, lambda v: over_tasks(_scores(v)), draw, 0.0
            if between == 0.0:
                yield "draws alone (macro)", sample, lambda v: macro_interval(_scores(v)), draw, 0.0


def _bootstrap(values: Sequence[float]) -> Interval:
    return bootstrap_interval(values, resamples=RESAMPLES)


def _scores(flat: Sequence[float]) -> dict[Key, float]:
    return grid(np.asarray(flat).reshape(-1, 5))
