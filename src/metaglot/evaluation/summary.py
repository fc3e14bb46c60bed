"""Results in, intervals out: per task, macro mean, paired differences, cost.

Everything here is about accuracy unless another metric is named.  "Ours" is the first method whose name starts with
`ours-`; baselines are all others that do not.
"""

from collections.abc import Collection, Sequence
from statistics import median
from typing import Literal, NamedTuple

from metaglot.errors import MetaglotError
from metaglot.evaluation.names import FROZEN
from metaglot.evaluation.statistics import (
    Interval,
    Scores,
    differences,
    macro_interval,
    over_tasks,
    t_interval,
)
from metaglot.evaluation.store import Result

Metric = Literal["accuracy", "macro_f1", "ece"]


class Comparison(NamedTuple):
    """Ours minus another method on matched draws."""

    shot: int | None  # None: the mean over all shots
    ours: str
    against: str  # a method, or what it stands for: "better frozen (frozen-lr)"
    draws: Interval  # of the macro mean, over draws
    tasks: Interval  # of the macro mean, over tasks
    by_task: dict[tuple[str, int], Interval]  # (task, shot): over draws


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


def scores(results: Sequence[Result], method: str, shot: int, metric: Metric = "accuracy") -> Scores:
    """Return the scores of a method at a number of shots, by (task, shot, draw)."""
    chosen = [result for result in results if result.method == method and result.shot == shot]
    return {(r.task, r.shot, r.draw): float(getattr(r, metric)) for r in chosen}


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


def ours_of(results: Sequence[Result]) -> str | None:
    """Return the first of our methods; None when only baselines were run."""
    return next((method for method in methods_of(results) if method.startswith("ours-")), None)


def better_frozen(results: Sequence[Result], shot: int) -> str | None:
    """Return the frozen arm with the higher macro mean at this number of shots; None when neither has one."""
    means = {arm: macro(results, shot, arm) for arm in FROZEN}
    known = {arm: interval.mean for arm, interval in means.items() if interval is not None}
    return max(known, key=lambda arm: known[arm]) if known else None


def comparisons(results: Sequence[Result]) -> list[Comparison]:
    """Return ours against the better frozen arm and against each baseline: per shot, then over all shots.

    The better frozen arm is chosen at each number of shots by macro mean, with these very results: that favours it.
    Pairs without a common draw of every task are left out.
    """
    ours, shots = ours_of(results), shots_of(results)
    if ours is None:
        return []
    found: list[Comparison | None] = []
    rivals = [method for method in methods_of(results) if not method.startswith("ours-")]
    for group in [[shot] for shot in shots] + ([shots] if len(shots) > 1 else []):
        best = [better_frozen(results, shot) for shot in group]
        if None not in best and len([arm for arm in FROZEN if arm in rivals]) > 1:
            arms = [arm for arm in best if arm is not None]
            found.append(_compare(results, group, ours, f"better frozen ({_said(arms)})", arms))
        found += [_compare(results, group, ours, rival, [rival] * len(group)) for rival in rivals]
    return [comparison for comparison in found if comparison is not None]


def _compare(
    results: Sequence[Result], shots: list[int], ours: str, against: str, arms: list[str]
) -> Comparison | None:
    """Compare at several numbers of shots, with the rival of each; a (task, shot) counts as a task."""
    tasks = tasks_of(results)
    pairs: dict[tuple[str, int, int], float] = {}
    try:
        for shot, arm in zip(shots, arms, strict=True):
            pairs |= differences(scores(results, ours, shot), scores(results, arm, shot))
        flat = {(f"{task}@{shot}", 0, draw): value for (task, shot, draw), value in pairs.items()}
        whole = macro_interval(flat)
    except MetaglotError:
        return None
    cells = {(task, shot): [v for k, v in pairs.items() if k[:2] == (task, shot)] for task in tasks for shot in shots}
    by_task = {cell: t_interval(values) for cell, values in cells.items() if values}
    shot = shots[0] if len(shots) == 1 else None
    return Comparison(shot, ours, against, whole, over_tasks(pairs), by_task)


def _said(arms: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(arms))
