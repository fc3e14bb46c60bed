"""Ours against each baseline on matched draws: how much better, how surely, and on which tasks not."""

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
from metaglot.report.summary import better_frozen, by_metric, methods_of, ours_of, shots_of, signed

BETTER = "better frozen"


class Comparison(NamedTuple):
    """What ours gains over another method on matched draws: positive where ours is better, whichever way that is."""

    shot: int | None  # None: the mean over all shots
    ours: str
    against: str  # a method, or what it stands for: "better frozen (frozen-lr)"
    draws: Interval  # of the macro mean, over draws
    tasks: Interval  # of the macro mean, over tasks and draws
    by_task: dict[tuple[str, int], Interval]  # (task, shot): over draws
    p_draws: float  # paired t of the macro means over draws; Holm-adjusted among the baselines at these shots
    p_tasks: float  # signed rank of the tasks' means; adjusted likewise
    effect: Interval  # d_z of the tasks' means; with one task, of its draws
    won: float  # share of (task, shot, draw) above zero
    metric: Metric  # what is compared, and in which unit

    @property
    def single(self) -> bool:
        """Whether it is against one method, rather than the better of two."""
        return not self.against.startswith(BETTER)

    @property
    def means(self) -> dict[str, float]:
        """The mean difference on each task over its shots, the worst first."""
        found: dict[str, list[float]] = defaultdict(list)
        for (task, _), interval in self.by_task.items():
            found[task].append(interval.mean)
        means = {task: float(np.mean(values)) for task, values in found.items()}
        return dict(sorted(means.items(), key=lambda item: item[1]))


def comparisons(results: Sequence[Result], reference: str | None = None) -> list[Comparison]:
    """Return ours against the better frozen arm and against each baseline: per shot, then over all shots.

    With a `reference`, that method stands for ours, and all others for baselines.

    The better frozen arm is chosen at each number of shots by macro mean, with these very results: that favours it.
    Having been chosen by its results, it is given no p value.  Those of the baselines are Holm-adjusted among the
    baselines at one number of shots.  Pairs without a common draw of every task are left out.  Tasks of unlike metrics
    are compared apart, one metric after the other.
    """
    parts = by_metric(results).items()
    return [one for metric, part in parts for one in _of_metric(part, metric, reference)]


def _of_metric(results: Sequence[Result], metric: Metric, reference: str | None) -> list[Comparison]:
    """Return the comparisons of results that have one primary metric."""
    ours, shots = reference or ours_of(results), shots_of(results)
    if ours is None:
        return []
    found: list[Comparison | None] = []
    others = [method for method in methods_of(results) if method != ours]
    rivals = [method for method in others if reference or not method.startswith("ours-")]
    for group in [[shot] for shot in shots] + ([shots] if len(shots) > 1 else []):
        best = [better_frozen(results, shot) for shot in group]
        if None not in best and len([arm for arm in FROZEN if arm in rivals]) > 1:
            arms = [arm for arm in best if arm is not None]
            found.append(_compare(results, group, ours, f"{BETTER} ({_said(arms)})", arms, metric))
        found += [_compare(results, group, ours, rival, [rival] * len(group), metric) for rival in rivals]
    return _adjusted([comparison for comparison in found if comparison is not None])


def candidates(found: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons with single baselines over all shots; where there are none, those at one of them."""
    return [c for c in found if c.single and c.shot is None] or [c for c in found if c.single]


def named(found: Sequence[Comparison]) -> str:
    """Return what the methods compared with are: baselines, or others."""
    return "baselines" if all(c.against in BASELINES for c in found if c.single) else "others"


def strongest(found: Sequence[Comparison]) -> Comparison | None:
    """Return the candidate that ours gains least over; None without any."""
    return min(candidates(found), key=lambda c: c.draws.mean, default=None)


def ahead_in_part(found: Sequence[Comparison]) -> Comparison | None:
    """Return what ours is furthest behind, of baselines that were not judged at all shots; None where it is ahead."""
    whole = {c.against for c in candidates(found)}
    behind = [c for c in found if c.single and c.against not in whole and c.draws.mean < 0]
    return min(behind, key=lambda c: c.draws.mean, default=None)


def _compare(
    results: Sequence[Result], shots: list[int], ours: str, against: str, arms: list[str], metric: Metric
) -> Comparison | None:
    """Compare at several numbers of shots, with the rival of each."""
    pairs: dict[Key, float] = {}
    try:
        for shot, arm in zip(shots, arms, strict=True):
            pairs |= differences(signed(results, ours, shot), signed(results, arm, shot))
        whole = macro_draws({(f"{task}@{shot}", 0, draw): value for (task, shot, draw), value in pairs.items()})
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
        against,
        draws=t_interval(whole),
        tasks=two_level(levels),
        by_task={cell: t_interval(values) for cell, values in cells.items()},
        p_draws=paired_t(whole),
        p_tasks=signed_rank(means) if len(means) > 1 else float("nan"),
        effect=cohen_dz(means if len(means) > 1 else whole),
        won=share_won(list(pairs.values())),
        metric=metric,
    )


def _over_shots(pairs: Scores, shots: int) -> dict[Key, float]:
    """Return the mean over shots at each (task, draw) that has all of them."""
    found: dict[tuple[str, int], list[float]] = defaultdict(list)
    for (task, _, draw), value in pairs.items():
        found[task, draw].append(value)
    return {(task, 0, draw): float(np.mean(v)) for (task, draw), v in found.items() if len(v) == shots}


def _task_means(levels: Scores) -> list[float]:
    found: dict[str, list[float]] = defaultdict(list)
    for (task, _, _), value in levels.items():
        found[task].append(value)
    return [float(np.mean(values)) for values in found.values()]


def _adjusted(found: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons with their p values adjusted within the baselines of one number of shots."""
    adjusted: dict[tuple[int | None, str], Comparison] = {}
    for shot in dict.fromkeys(c.shot for c in found):
        family = [c for c in found if c.shot == shot and c.single]
        draws, tasks = holm([c.p_draws for c in family]), holm([c.p_tasks for c in family])
        for c, d, t in zip(family, draws, tasks, strict=True):
            adjusted[shot, c.against] = c._replace(p_draws=d, p_tasks=t)
    nan = float("nan")
    return [adjusted.get((c.shot, c.against), c._replace(p_draws=nan, p_tasks=nan)) for c in found]


def _said(arms: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(arms))
