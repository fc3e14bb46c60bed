"""Results in, intervals out: per task, macro mean, cost, ranks.

Everything here is about the primary metric unless another one is named, and about results of one primary metric:
`by_metric` takes them apart, and no mean is taken over several.  "Ours" is the first method whose name starts with
`ours-`; baselines are all others that do not.
"""

from collections.abc import Collection, Sequence
from statistics import median

import numpy as np

from metaglot.choices import FROZEN
from metaglot.errors import MetaglotError
from metaglot.evaluation.result import Result
from metaglot.evaluation.statistics import Interval, Ranking, Scores, macro_interval, rank_methods, t_interval
from metaglot.metric import ACCURACY, ECE, Metric
from metaglot.report.scales import in_scales


def methods_of(results: Sequence[Result]) -> list[str]:
    """Return the methods, in the order in which they were run."""
    return list(dict.fromkeys(result.method for result in results))


def tasks_of(results: Sequence[Result]) -> list[str]:
    """Return the tasks, in the order in which they were run."""
    return list(dict.fromkeys(result.task for result in results))


def shots_of(results: Sequence[Result]) -> list[int]:
    """Return the numbers of shots, ascending."""
    return sorted({result.shot for result in results})


def without(results: Sequence[Result], tasks: Collection[str]) -> list[Result]:
    """Return the results that are not of these tasks.

    Raises MetaglotError for a task that has no results, and when nothing is left.
    """
    known = tasks_of(results)
    unknown = [task for task in tasks if task not in known]
    left = [result for result in results if result.task not in tasks]
    if unknown or not left:
        wrong = f"no results of {', '.join(unknown)}" if unknown else "all tasks would be left out"
        raise MetaglotError(f"Cannot leave tasks out: {wrong}. The tasks are {', '.join(known)}.")
    return left


def by_metric(results: Sequence[Result]) -> dict[Metric, list[Result]]:
    """Return the results by their primary metric, in the order in which they were run.

    Where it is in the unit of the numbers of a task, tasks of unlike scales are apart too (`scales.py`).
    """
    parts: dict[Metric, list[Result]] = {}
    for result in in_scales(results):
        parts.setdefault(result.metric, []).append(result)
    return parts


def metric_of(results: Sequence[Result]) -> Metric:
    """Return the one primary metric of the results; accuracy without results.

    Raises MetaglotError where there are several, since their scores have no mean.
    """
    found = list(dict.fromkeys(result.metric for result in results)) or [ACCURACY]
    if len(found) > 1:
        listed = "; ".join(f"{metric.axis}{metric.direction}" for metric in found)
        raise MetaglotError(
            f"The tasks are judged by several metrics ({listed}), and no mean is taken over unlike metrics. "
            "Take the results apart by their metric."
        )
    return found[0]


def scores(results: Sequence[Result], method: str, shot: int, metric: Metric | None = None) -> Scores:
    """Return the scores of a method at a number of shots, by (task, shot, draw): of the primary metric, or another.

    Raises MetaglotError where tasks have unlike primary metrics; results without the other metric, or with one of its
    name in another unit, are left out.
    """
    chosen = [result for result in results if result.method == method and result.shot == shot]
    one = metric or metric_of(chosen)
    return {(r.task, r.shot, r.draw): r.metrics[one.name] for r in chosen if has(r, one)}


def has(result: Result, metric: Metric) -> bool:
    """Return whether a result has a score by this very metric, in its unit."""
    return metric in result.measures and metric.name in result.metrics


def signed(results: Sequence[Result], method: str, shot: int) -> Scores:
    """Return the same scores with a sign by which more is better, so that a difference of them is a gain."""
    sign = metric_of(results).sign
    return {key: sign * score for key, score in scores(results, method, shot).items()}


def task_interval(results: Sequence[Result], task: str, shot: int, method: str) -> Interval | None:
    """Return a method's mean score on one task with its interval over draws; None without results."""
    values = [value for key, value in scores(results, method, shot).items() if key[0] == task]
    return t_interval(values) if values else None


def macro(results: Sequence[Result], shot: int, method: str) -> Interval | None:
    """Return a method's mean over tasks with its interval over draws; None until a draw has every task."""
    found = scores(results, method, shot)
    everywhere = {task for task, _, _ in found} == set(tasks_of(at_shot(results, shot)))
    try:
        return macro_interval(found) if everywhere else None
    except MetaglotError:
        return None


def at_shot(results: Sequence[Result], shot: int) -> list[Result]:
    """Return the results at a number of shots."""
    return [result for result in results if result.shot == shot]


def cpu_seconds(results: Sequence[Result], shot: int, method: str) -> float | None:
    """Return the median CPU seconds of a fit; None without results."""
    seconds = [result.cpu_seconds for result in at_shot(results, shot) if result.method == method]
    return median(seconds) if seconds else None


def mean_of(results: Sequence[Result], shot: int, method: str, metric: Metric) -> float | None:
    """Return the mean of another metric than the primary one over tasks and draws; None without results."""
    found = list(scores(results, method, shot, metric).values())
    return float(np.mean(found)) if found else None


def mean_ece(results: Sequence[Result], shot: int, method: str) -> float | None:
    """Return the mean expected calibration error over tasks and draws; None without results."""
    return mean_of(results, shot, method, ECE)


def ours_of(results: Sequence[Result]) -> str | None:
    """Return the first of our methods; None when only baselines were run."""
    return next((method for method in methods_of(results) if method.startswith("ours-")), None)


def better_frozen(results: Sequence[Result], shot: int) -> str | None:
    """Return the frozen arm with the better macro mean at this number of shots; None when neither has one."""
    means = {arm: macro(results, shot, arm) for arm in FROZEN}
    known = {arm: interval.mean for arm, interval in means.items() if interval is not None}
    sign = metric_of(results).sign
    return max(known, key=lambda arm: sign * known[arm]) if known else None


def ranking(results: Sequence[Result]) -> Ranking | None:
    """Return the methods by mean rank over tasks, on the cells that all of them have.

    A task counts once: its score is the mean over its draws and shots.  Methods that lack a task at some number
    of shots are left out; None with fewer than two tasks or three methods.
    """
    cells = {(r.task, r.shot) for r in results}
    there = {method: {(r.task, r.shot) for r in results if r.method == method} for method in methods_of(results)}
    methods = [method for method, found in there.items() if found == cells]
    found = [{(r.task, r.shot, r.draw): r.score for r in results if r.method == method} for method in methods]
    shared = set[tuple[str, int, int]].intersection(*map(set, found)) if found else set()
    tasks = [task for task in tasks_of(results) if any(key[0] == task for key in shared)]
    if len(tasks) < 2 or len(methods) < 3:
        return None
    rows = [[np.mean([one[key] for key in shared if key[0] == task]) for one in found] for task in tasks]
    return rank_methods(methods, metric_of(results).sign * np.array(rows))
