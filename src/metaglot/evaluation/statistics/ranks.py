"""Several methods over several tasks: Friedman's test and Nemenyi's critical difference.

N tasks (blocks), k methods; r_ij is the rank of method j on task i, 1 for the best, ties sharing their mean rank.

    Friedman          χ² = (Σ_j (R_j − N(k+1)/2)²) · 12 / (N k (k+1)), corrected for ties;  χ²_{k−1}    (Friedman 1937)
    Iman–Davenport    F = (N−1) χ² / (N(k−1) − χ²);  F_{k−1, (k−1)(N−1)}, less conservative
    Nemenyi           two mean ranks differ when they are more than  CD = q_α √(k(k+1)/(6N))  apart, where q_α is
                      the studentised range at infinitely many degrees of freedom over √2

Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets", 2006,
https://jmlr.org/papers/v7/demsar06a.html
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from metaglot.errors import MetaglotError


class Ranking(NamedTuple):
    """Methods from the best mean rank to the worst, with the tests of their differences."""

    methods: tuple[str, ...]
    ranks: tuple[float, ...]  # mean over tasks, 1 is best
    tasks: int
    chi2: float
    p: float  # of Friedman's χ²
    p_f: float  # of Iman and Davenport's F
    critical: float  # Nemenyi's critical difference of mean ranks
    alpha: float
    cliques: tuple[tuple[int, int], ...]  # first and last place of each group without a significant difference


def rank_methods(methods: Sequence[str], scores: np.ndarray, *, alpha: float = 0.05) -> Ranking:
    """Return the ranking of methods by `scores` [N tasks, k methods], higher is better.

    Raises MetaglotError for fewer than two tasks or three methods, or scores of another shape.
    """
    if scores.ndim != 2 or scores.shape[1] != len(methods) or scores.shape[0] < 2 or len(methods) < 3:
        raise MetaglotError(
            f"Friedman's test needs scores of at least two tasks by three methods; got {scores.shape} for "
            f"{len(methods)} methods. Evaluate more tasks or baselines, or compare pairs."
        )
    tasks, count = scores.shape
    task_ranks = stats.rankdata(-scores, axis=1)  # [N, k]
    chi2, p, p_f = friedman(task_ranks)
    order = np.argsort(task_ranks.mean(axis=0), kind="stable")
    ranks = tuple(float(rank) for rank in task_ranks.mean(axis=0)[order])
    critical = critical_difference(count, tasks, alpha=alpha)
    names = tuple(methods[int(number)] for number in order)
    return Ranking(names, ranks, tasks, chi2, p, p_f, critical, alpha, cliques(ranks, critical))


def friedman(ranks: np.ndarray) -> tuple[float, float, float]:
    """Return χ², its p, and the p of Iman and Davenport's F, for the ranks [N, k] within each task.

    Where all methods tie on every task: 0, 1, 1.
    """
    tasks, count = ranks.shape
    scatter = float(((ranks - (count + 1) / 2) ** 2).sum())
    if scatter == 0:
        return 0.0, 1.0, 1.0
    chi2 = float((count - 1) * ((ranks.sum(axis=0) - tasks * (count + 1) / 2) ** 2).sum() / scatter)
    denominator = tasks * (count - 1) - chi2
    p_f = (
        0.0
        if denominator <= 1e-9
        else float(stats.f.sf((tasks - 1) * chi2 / denominator, count - 1, (count - 1) * (tasks - 1)))
    )
    return chi2, float(stats.chi2.sf(chi2, count - 1)), p_f


def critical_difference(methods: int, tasks: int, *, alpha: float = 0.05) -> float:
    """Return Nemenyi's critical difference of two mean ranks, CD = q_α √(k(k+1)/(6N))."""
    q = float(stats.studentized_range.ppf(1 - alpha, methods, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * tasks)))


def cliques(ranks: Sequence[float], critical: float) -> tuple[tuple[int, int], ...]:
    """Return first and last place of the largest groups of ascending ranks within `critical` of each other."""
    groups: list[tuple[int, int]] = []
    for first, rank in enumerate(ranks):
        last = max(place for place, other in enumerate(ranks) if other - rank <= critical)
        if last > first and (not groups or last > groups[-1][1]):
            groups.append((first, last))
    return tuple(groups)
