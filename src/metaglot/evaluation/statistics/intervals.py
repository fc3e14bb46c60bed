"""Confidence intervals of one mean, and the uncertainty that each of them covers.

    t interval        x̄ ± t_{(1+level)/2, n−1} · s / √n                         (Student 1908)
    bootstrap         the expanded percentile interval of the resampled mean    (Hesterberg 2015)
    paired            the t interval of a − b over the keys that both have
    macro             per draw the mean over tasks, then the t interval over draws

A score has the key (task, shot, draw).  Intervals **over draws** (per task, and the macro mean) show how far the
mean would move with other support examples (and other seeds of the fit); tasks and queries are fixed, so they do not
cover other tasks or other queries.  Intervals **over tasks** (`over_tasks`, bootstrap) show how far the macro mean
would move with other tasks; intervals **over tasks and draws** (`two_level`, in `levels.py`) with both.  They are
wider, and rough with fewer than about ten tasks.

Hesterberg, "What Teachers Should Know about the Bootstrap", 2015, https://arxiv.org/abs/1411.5279
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import stats

from metaglot.errors import MetaglotError

Key = tuple[str, int, int]
"""The place of a score in the grid: (task, shot, draw)."""

Scores = Mapping[Key, float]


class Interval(NamedTuple):
    """A mean with its confidence interval; `low` and `high` are NaN when `n` < 2."""

    mean: float
    low: float
    high: float
    n: int  # number of independent values

    @property
    def half(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2


@cache
def student_quantile(level: float, n: int) -> float:
    """Return t_{(1+level)/2, n−1}: how many standard errors the interval of a mean of n values reaches to each side."""
    return float(stats.t.ppf((1 + level) / 2, n - 1))


def t_interval(values: Sequence[float], *, level: float = 0.95) -> Interval:
    """Return the mean and its Student interval, x̄ ± t · s / √n.

    Raises MetaglotError for no values.
    """
    n = _count(values)
    mean = float(np.mean(values))
    if n < 2:
        return Interval(mean, float("nan"), float("nan"), n)
    half = float(student_quantile(level, n) * np.std(values, ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half, mean + half, n)


def bootstrap_interval(
    values: Sequence[float], *, level: float = 0.95, resamples: int = 4000, seed: int = 0
) -> Interval:
    """Return the mean and its expanded percentile bootstrap interval.

    Plain percentiles of the resampled mean are too narrow by √((n−1)/n) and by z/t; the tails are therefore taken
    at Φ(−√(n/(n−1)) · t_{(1+level)/2, n−1}) instead of (1−level)/2.  Raises MetaglotError for no values.
    """
    n = _count(values)
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean())
    if n < 2:
        return Interval(mean, float("nan"), float("nan"), n)
    rng = np.random.default_rng(seed)
    means = array[rng.integers(0, n, size=(resamples, n))].mean(axis=1)
    tail = stats.norm.cdf(-np.sqrt(n / (n - 1)) * student_quantile(level, n))
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(mean, float(low), float(high), n)


def differences(a: Scores, b: Scores) -> dict[Key, float]:
    """Return a − b at the keys that both have, in the order of `a`.

    Raises MetaglotError when they share none.
    """
    pairs = {key: value - b[key] for key, value in a.items() if key in b}
    if not pairs:
        raise MetaglotError(
            "No task, shot and draw was scored by both methods, so they cannot be compared. "
            "Evaluate both on the same tasks, shots and draws."
        )
    return pairs


def paired_difference(a: Scores, b: Scores, *, level: float = 0.95) -> Interval:
    """Return the mean of a − b over their matched keys with its t interval.

    The keys are treated as independent: use it within one task and shot, and `macro_interval(differences(a, b))`
    over several tasks.
    """
    return t_interval(list(differences(a, b).values()), level=level)


def macro_interval(scores: Scores, *, level: float = 0.95) -> Interval:
    """Return the mean over tasks with its interval over draws, for the scores of one shot.

    The t interval of `macro_draws`; `n` is the number of draws with all tasks.  Raises MetaglotError without any.
    """
    return t_interval(macro_draws(scores), level=level)


def macro_draws(scores: Scores) -> list[float]:
    """Return one value for each draw, the mean over tasks; supports of one draw are independent between tasks.

    Draws without all tasks are left out, since their mean would depend on the difficulty of the missing tasks.  Raises
    MetaglotError when no draw has all tasks.
    """
    tasks = {task for task, _, _ in scores}
    by_draw: dict[tuple[int, int], list[float]] = defaultdict(list)
    for (_, shot, draw), value in scores.items():
        by_draw[shot, draw].append(value)
    complete = [float(np.mean(values)) for values in by_draw.values() if len(values) == len(tasks)]
    if not complete:
        raise MetaglotError(
            "No draw has been scored on every task, so there is no macro mean yet. "
            "Run the same evaluation again: it goes on where it stopped."
        )
    return complete


def over_tasks(scores: Scores, *, level: float = 0.95, seed: int = 0) -> Interval:
    """Return the mean of the tasks' means with its bootstrap interval over tasks."""
    by_task: dict[str, list[float]] = defaultdict(list)
    for (task, _, _), value in scores.items():
        by_task[task].append(value)
    means = [float(np.mean(values)) for values in by_task.values()]
    return bootstrap_interval(means, level=level, seed=seed)


def _count(values: Sequence[float]) -> int:
    if len(values) == 0:
        raise MetaglotError("An interval needs at least one value, and got none.")
    return len(values)
