"""The bootstrap on two levels: other tasks, and within each of them other draws.

A score of task i at draw j is taken as  y_ij = μ + b_i + e_ij  with tasks b_i ~ (0, σ_b²), draws e_ij ~ (0, σ_w²).
The means ȳ_i of the a tasks have a larger variance than σ_b², since each is the mean of m draws.  Resampling them, and
then draws within them, would count that noise twice; so both levels are rescaled to the variance of their own level:

    b̂_i  = c · (ȳ_i − ȳ),   c² = max(0, 1 − s_w²/(m s²)) · a/(a−1),   s² the variance of the ȳ_i
    ê_ij = √(m/(m−1)) · (y_ij − ȳ_i)
    ȳ*   = ȳ + mean over a tasks drawn with replacement of (b̂ + mean of m of its ê drawn with replacement)

Davison & Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8 (hierarchical data).
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from scipy import stats

from metaglot.errors import MetaglotError
from metaglot.evaluation.statistics.intervals import Interval, Scores, bootstrap_interval, student_quantile


def two_level(scores: Scores, *, level: float = 0.95, resamples: int = 4000, seed: int = 0) -> Interval:
    """Return the mean over tasks with its bootstrap interval over tasks and draws; `n` counts the tasks.

    For the scores (or paired differences) of one shot.  The tails are taken at Φ(−t_{(1+level)/2, a−1}), because the
    variance between tasks is estimated from a tasks.  With one task the interval is over its draws only.  With fewer
    than about ten tasks it covers less than its level: `benchmarks/coverage.py` measures how much.  Raises
    MetaglotError for no scores.
    """
    groups = _by_task(scores)
    if len(groups) == 1:
        return bootstrap_interval(groups[0].tolist(), level=level, resamples=resamples, seed=seed)
    tasks = len(groups)
    means = np.array([group.mean() for group in groups])
    centres = _between(means, groups)
    rng = np.random.default_rng(seed)
    task_numbers = rng.integers(0, tasks, size=(resamples, tasks))
    values = centres[task_numbers]
    for number, group in enumerate(groups):
        places = task_numbers == number
        values[places] += _noise(group, int(places.sum()), rng)
    mean = float(means.mean())
    tail = stats.norm.cdf(-student_quantile(level, tasks))
    low, high = mean + np.quantile(values.mean(axis=1), [tail, 1 - tail])
    return Interval(mean, float(low), float(high), tasks)


def _by_task(scores: Scores) -> list[np.ndarray]:
    values_by_task: dict[str, list[float]] = defaultdict(list)
    for (task, _, _), value in scores.items():
        values_by_task[task].append(value)
    if not values_by_task:
        raise MetaglotError("An interval needs at least one value, and got none.")
    return [np.array(values, dtype=np.float64) for values in values_by_task.values()]


def _between(means: np.ndarray, groups: Sequence[np.ndarray]) -> np.ndarray:
    """Return the tasks' deviations [a], rescaled to the variance between tasks."""
    tasks, spread = len(means), float(means.var(ddof=1))
    noise = float(np.mean([group.var(ddof=1) / len(group) if len(group) > 1 else 0.0 for group in groups]))
    share = max(0.0, 1 - noise / spread) if spread > 0 else 0.0
    return np.sqrt(share * tasks / (tasks - 1)) * (means - means.mean())


def _noise(group: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return `count` means, each of as many residuals as the task has draws; zeros for a task with one draw."""
    size = len(group)
    if size < 2:
        return np.zeros(count)
    residuals = np.sqrt(size / (size - 1)) * (group - group.mean())
    return residuals[rng.integers(0, size, size=(count, size))].mean(axis=1)
