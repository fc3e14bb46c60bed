"""Results in, intervals out: per task, macro mean, cost, ranks.

Everything here is about accuracy unless another metric is named.  "Ours" is the first method whose name starts with
`ours-`; baselines are all others that do not.
"""

from collections.abc import Collection, Sequence
from statistics import median

import numpy as np

from metaglot.errors import MetaglotError
from metaglot.evaluation.result import Result
from metaglot.evaluation.statistics import Interval, Ranking, Scores, macro_interval, rank_methods, t_interval
from metaglot.method_names import FROZEN


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


def scores(results: Sequence[Result], method: str, shot: int, metric: str | None = None) -> Scores:
    """Return the scores of a method at a number of shots, by (task, shot, draw)."""
    chosen = [result for result in results if result.method == method and result.shot == shot]
    return {(r.task, r.shot, r.draw): r.score if metric is None else r.metrics[metric] for r in chosen}


def task_interval(results: Sequence[Result], task: str, shot: int, method: str) -> Interval | None:
    """Return a method's mean accuracy on one task with its interval over draws; None without results."""
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


def mean_ece(results: Sequence[Result], shot: int, method: str) -> float | None:
    """Return the mean expected calibration error over tasks and draws; None without results."""
    found = list(scores(results, method, shot, "ece").values())
    return float(np.mean(found)) if found else None


def ours_of(results: Sequence[Result]) -> str | None:
    """Return the first of our methods; None when only baselines were run."""
    return next((method for method in methods_of(results) if method.startswith("ours-")), None)


def better_frozen(results: Sequence[Result], shot: int) -> str | None:
    """Return the frozen arm with the higher macro mean at this number of shots; None when neither has one."""
    means = {arm: macro(results, shot, arm) for arm in FROZEN}
    known = {arm: interval.mean for arm, interval in means.items() if interval is not None}
    return max(known, key=lambda arm: known[arm]) if known else None


def ranking(results: Sequence[Result]) -> Ranking | None:
    """Return the methods by mean rank over tasks, on the cells that all of them have.

    A task counts once: its accuracy is the mean over its draws and shots.  Methods that lack a task at some number
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
    return rank_methods(methods, np.array(rows))
