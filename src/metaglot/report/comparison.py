"""Our method against each baseline on matched draws: the gains, their intervals, and the lost tasks."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from metaglot.choices import BASELINES, FROZEN
from metaglot.errors import MetaglotError
from metaglot.evaluation.result import Result
from metaglot.evaluation.statistics import (
    Interval,
    Key,
    Scores,
    cohen_dz,
    differences,
    holm,
    macro_draws,
    paired_t,
    share_won,
    signed_rank,
    t_interval,
    two_level,
)
from metaglot.metric import Metric
from metaglot.report.summary import better_frozen_arm, by_metric, methods_of, our_method, shots_of, signed_scores

BETTER_FROZEN = "better frozen"


class Comparison(NamedTuple):
    """The gain of our method over another one on matched draws; positive if ours is better, whatever the direction."""

    shot: int | None  # None: the mean over all shots
    ours: str
    rival: str  # a method, or "better frozen (frozen-lr)"
    draws: Interval  # of the macro mean, over draws
    tasks: Interval  # of the macro mean, over tasks and draws
    by_task: dict[tuple[str, int], Interval]  # (task, shot): over draws
    p_draws: float  # paired t of the macro means over draws; Holm-adjusted among the baselines at these shots
    p_tasks: float  # signed rank of the tasks' means; adjusted likewise
    effect: Interval  # d_z of the tasks' means; with one task, of its draws
    win_share: float  # share of (task, shot, draw) with a gain above zero
    metric: Metric  # the metric of the scores, with its unit

    @property
    def is_single(self) -> bool:
        """Whether the rival is one method, not the better of two."""
        return not self.rival.startswith(BETTER_FROZEN)

    @property
    def means(self) -> dict[str, float]:
        """The mean difference on each task over its shots, the worst first."""
        values_by_task: dict[str, list[float]] = defaultdict(list)
        for (task, _), interval in self.by_task.items():
            values_by_task[task].append(interval.mean)
        means = {task: float(np.mean(values)) for task, values in values_by_task.items()}
        return dict(sorted(means.items(), key=lambda item: item[1]))


def compare_methods(results: Sequence[Result], reference: str | None = None) -> list[Comparison]:
    """Return the comparisons of our method with the better frozen arm and each baseline: per shot, then over all shots.

    With a `reference`, this method takes the place of ours, and all others are baselines.

    The better frozen arm is chosen at each number of shots by the macro mean of the same results, which favours it;
    therefore it has no p value.  The p values of the baselines are Holm-adjusted among the baselines at one number of
    shots.  Pairs without a common draw of every task are left out.  Tasks of different metrics are compared
    separately, one metric after the other.
    """
    parts = by_metric(results).items()
    return [one for metric, part in parts for one in _of_metric(part, metric, reference)]


def _of_metric(results: Sequence[Result], metric: Metric, reference: str | None) -> list[Comparison]:
    """Return the comparisons of results with one primary metric."""
    ours, shots = reference or our_method(results), shots_of(results)
    if ours is None:
        return []
    comparisons: list[Comparison | None] = []
    others = [method for method in methods_of(results) if method != ours]
    rivals = [method for method in others if reference or not method.startswith("ours-")]
    for group in [[shot] for shot in shots] + ([shots] if len(shots) > 1 else []):
        best_arms = [better_frozen_arm(results, shot) for shot in group]
        if None not in best_arms and len([arm for arm in FROZEN if arm in rivals]) > 1:
            arms = [arm for arm in best_arms if arm is not None]
            comparisons.append(_compare(results, group, ours, f"{BETTER_FROZEN} ({_arm_names(arms)})", arms, metric))
        comparisons += [_compare(results, group, ours, rival, [rival] * len(group), metric) for rival in rivals]
    return _adjust_p_values([comparison for comparison in comparisons if comparison is not None])


def candidates(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons with single rivals over all shots; if there are none, the comparisons at each shot."""
    return [c for c in comparisons if c.is_single and c.shot is None] or [c for c in comparisons if c.is_single]


def rival_noun(comparisons: Sequence[Comparison]) -> str:
    """Return the noun for the rivals: "baselines", or "others"."""
    return "baselines" if all(c.rival in BASELINES for c in comparisons if c.is_single) else "others"


def strongest_rival(comparisons: Sequence[Comparison]) -> Comparison | None:
    """Return the candidate with the least gain of our method; None if there are no candidates."""
    return min(candidates(comparisons), key=lambda c: c.draws.mean, default=None)


def best_partial_rival(comparisons: Sequence[Comparison]) -> Comparison | None:
    """Return the largest loss to a baseline that was not judged at all shots; None if there is no such loss."""
    rivals = {c.rival for c in candidates(comparisons)}
    behind = [c for c in comparisons if c.is_single and c.rival not in rivals and c.draws.mean < 0]
    return min(behind, key=lambda c: c.draws.mean, default=None)


def _compare(
    results: Sequence[Result], shots: list[int], ours: str, rival: str, arms: list[str], metric: Metric
) -> Comparison | None:
    """Return the comparison over several numbers of shots; `arms` holds the rival at each of them."""
    pairs: dict[Key, float] = {}
    try:
        for shot, arm in zip(shots, arms, strict=True):
            pairs |= differences(signed_scores(results, ours, shot), signed_scores(results, arm, shot))
        macro_gains = macro_draws({(f"{task}@{shot}", 0, draw): value for (task, shot, draw), value in pairs.items()})
    except MetaglotError:
        return None
    cells: dict[tuple[str, int], list[float]] = defaultdict(list)
    for (task, shot, _), value in pairs.items():
        cells[task, shot].append(value)
    levels = _over_shots(pairs, len(shots))
    means = _task_means(levels)
    return Comparison(
        shots[0] if len(shots) == 1 else None,
        ours,
        rival,
        draws=t_interval(macro_gains),
        tasks=two_level(levels),
        by_task={cell: t_interval(values) for cell, values in cells.items()},
        p_draws=paired_t(macro_gains),
        p_tasks=signed_rank(means) if len(means) > 1 else float("nan"),
        effect=cohen_dz(means if len(means) > 1 else macro_gains),
        win_share=share_won(list(pairs.values())),
        metric=metric,
    )


def _over_shots(pairs: Scores, shots: int) -> dict[Key, float]:
    """Return the mean over shots for each (task, draw) that has all shots."""
    values_by_cell: dict[tuple[str, int], list[float]] = defaultdict(list)
    for (task, _, draw), value in pairs.items():
        values_by_cell[task, draw].append(value)
    return {(task, 0, draw): float(np.mean(v)) for (task, draw), v in values_by_cell.items() if len(v) == shots}


def _task_means(levels: Scores) -> list[float]:
    values_by_task: dict[str, list[float]] = defaultdict(list)
    for (task, _, _), value in levels.items():
        values_by_task[task].append(value)
    return [float(np.mean(values)) for values in values_by_task.values()]


def _adjust_p_values(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons; their p values are adjusted among the baselines at one number of shots."""
    adjusted: dict[tuple[int | None, str], Comparison] = {}
    for shot in dict.fromkeys(c.shot for c in comparisons):
        family = [c for c in comparisons if c.shot == shot and c.is_single]
        draws, tasks = holm([c.p_draws for c in family]), holm([c.p_tasks for c in family])
        for c, d, t in zip(family, draws, tasks, strict=True):
            adjusted[shot, c.rival] = c._replace(p_draws=d, p_tasks=t)
    nan = float("nan")
    return [adjusted.get((c.shot, c.rival), c._replace(p_draws=nan, p_tasks=nan)) for c in comparisons]


def _arm_names(arms: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(arms))
