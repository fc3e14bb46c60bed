"""Summaries of results: intervals per task, macro means, costs, ranks.

The functions use the primary metric unless they have another one as an argument.  They take results of one primary
metric, since no mean is taken over several; `by_metric` separates the results.  Our method is the first one whose name
starts with `ours-`; methods without this start are baselines.
"""

from collections.abc import Collection, Sequence
from statistics import median

import numpy as np

from metaglot.choices import FROZEN
from metaglot.errors import MetaglotError
from metaglot.evaluation.result import Result
from metaglot.evaluation.statistics import Interval, Ranking, Scores, macro_interval, rank_methods, t_interval
from metaglot.metric import ACCURACY, ECE, Metric
from metaglot.report.scales import with_common_scales


def methods_of(results: Sequence[Result]) -> list[str]:
    """Return the methods, in the order in which they were run."""
    return list(dict.fromkeys(result.method for result in results))


def tasks_of(results: Sequence[Result]) -> list[str]:
    """Return the tasks, in the order in which they were run."""
    return list(dict.fromkeys(result.task for result in results))


def shots_of(results: Sequence[Result]) -> list[int]:
    """Return the numbers of shots, ascending."""
    return sorted({result.shot for result in results})


def without_tasks(results: Sequence[Result], tasks: Collection[str]) -> list[Result]:
    """Return the results of all other tasks.

    Raises MetaglotError for a task that has no results, and if no task remains.
    """
    names = tasks_of(results)
    unknown = [task for task in tasks if task not in names]
    remaining = [result for result in results if result.task not in tasks]
    if unknown or not remaining:
        problem = f"no results of {', '.join(unknown)}" if unknown else "all tasks would be left out"
        raise MetaglotError(f"Cannot leave tasks out: {problem}. The tasks are {', '.join(names)}.")
    return remaining


def by_metric(results: Sequence[Result]) -> dict[Metric, list[Result]]:
    """Return the results by their primary metric, in the order in which they were run.

    If the metric is in the unit of the targets, tasks of different scales are separated too (`scales.py`).
    """
    parts: dict[Metric, list[Result]] = {}
    for result in with_common_scales(results):
        parts.setdefault(result.metric, []).append(result)
    return parts


def metric_of(results: Sequence[Result]) -> Metric:
    """Return the only primary metric of the results; accuracy without results.

    Raises MetaglotError if there are several, since their scores have no mean.
    """
    metrics = list(dict.fromkeys(result.metric for result in results)) or [ACCURACY]
    if len(metrics) > 1:
        titles = "; ".join(f"{metric.axis}{metric.direction}" for metric in metrics)
        raise MetaglotError(
            f"The tasks are judged by several metrics ({titles}), and no mean is taken over unlike metrics. "
            "Separate the results by their metric."
        )
    return metrics[0]


def scores(results: Sequence[Result], method: str, shot: int, metric: Metric | None = None) -> Scores:
    """Return the scores of a method at a number of shots by (task, shot, draw); of the primary metric, or of `metric`.

    Results without `metric`, or with a metric of this name in another unit, are left out.  Raises MetaglotError if the
    tasks have different primary metrics.
    """
    matches = [result for result in results if result.method == method and result.shot == shot]
    chosen_metric = metric or metric_of(matches)
    return {(r.task, r.shot, r.draw): r.metrics[chosen_metric.name] for r in matches if has_score(r, chosen_metric)}


def has_score(result: Result, metric: Metric) -> bool:
    """Return whether a result has a score of this metric, in its unit."""
    return metric in result.measures and metric.name in result.metrics


def signed_scores(results: Sequence[Result], method: str, shot: int) -> Scores:
    """Return the scores with a sign that makes a higher value better, so that their difference is a gain."""
    sign = metric_of(results).sign
    return {key: sign * score for key, score in scores(results, method, shot).items()}


def task_interval(results: Sequence[Result], task: str, shot: int, method: str) -> Interval | None:
    """Return a method's mean score on one task with its interval over draws; None without results."""
    values = [value for key, value in scores(results, method, shot).items() if key[0] == task]
    return t_interval(values) if values else None


def macro_mean(results: Sequence[Result], shot: int, method: str) -> Interval | None:
    """Return a method's mean over tasks with its interval over draws; None if no draw has every task."""
    task_scores = scores(results, method, shot)
    is_complete = {task for task, _, _ in task_scores} == set(tasks_of(at_shot(results, shot)))
    try:
        return macro_interval(task_scores) if is_complete else None
    except MetaglotError:
        return None


def at_shot(results: Sequence[Result], shot: int) -> list[Result]:
    """Return the results at a number of shots."""
    return [result for result in results if result.shot == shot]


def cpu_seconds(results: Sequence[Result], shot: int, method: str) -> float | None:
    """Return the median CPU seconds of a fit; None without results."""
    seconds = [result.cpu_seconds for result in at_shot(results, shot) if result.method == method]
    return median(seconds) if seconds else None


def mean_score(results: Sequence[Result], shot: int, method: str, metric: Metric) -> float | None:
    """Return the mean of a metric over tasks and draws; None without results."""
    values = list(scores(results, method, shot, metric).values())
    return float(np.mean(values)) if values else None


def mean_ece(results: Sequence[Result], shot: int, method: str) -> float | None:
    """Return the mean expected calibration error over tasks and draws; None without results."""
    return mean_score(results, shot, method, ECE)


def our_method(results: Sequence[Result]) -> str | None:
    """Return the first of our methods; None if only baselines were run."""
    return next((method for method in methods_of(results) if method.startswith("ours-")), None)


def better_frozen_arm(results: Sequence[Result], shot: int) -> str | None:
    """Return the frozen arm with the better macro mean at this number of shots; None if neither has one."""
    means = {arm: macro_mean(results, shot, arm) for arm in FROZEN}
    mean_by_arm = {arm: interval.mean for arm, interval in means.items() if interval is not None}
    sign = metric_of(results).sign
    return max(mean_by_arm, key=lambda arm: sign * mean_by_arm[arm]) if mean_by_arm else None


def ranking(results: Sequence[Result]) -> Ranking | None:
    """Return the mean ranks of the methods over tasks, on the cells that all methods have.

    A task counts once: its score is the mean over its draws and shots.  A method without results for a task at some
    number of shots is left out.  None with fewer than two tasks or three methods.
    """
    cells = {(r.task, r.shot) for r in results}
    cells_by_method = {
        method: {(r.task, r.shot) for r in results if r.method == method} for method in methods_of(results)
    }
    methods = [method for method, method_cells in cells_by_method.items() if method_cells == cells]
    score_maps = [{(r.task, r.shot, r.draw): r.score for r in results if r.method == method} for method in methods]
    shared = set[tuple[str, int, int]].intersection(*map(set, score_maps)) if score_maps else set()
    tasks = [task for task in tasks_of(results) if any(key[0] == task for key in shared)]
    if len(tasks) < 2 or len(methods) < 3:
        return None
    rows = [
        [np.mean([method_scores[key] for key in shared if key[0] == task]) for method_scores in score_maps]
        for task in tasks
    ]
    return rank_methods(methods, metric_of(results).sign * np.array(rows))
