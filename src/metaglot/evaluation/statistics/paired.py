"""Tests of paired differences, and their size relative to their standard deviation.

    paired t      t = d̄ / (s_d / √n), n − 1 degrees of freedom                       (Student 1908)
    signed rank   Wilcoxon's W over the ranks of |d|; exact without ties up to 50    (Wilcoxon 1945)
    Holm          p̃_(i) = max_{j ≤ i} min(1, (m − j + 1) p_(j)), p ascending         (Holm 1979)
    effect size   d_z = d̄ / s_d; its interval inverts the noncentral t               (Cohen 1988; Cumming & Finch 2001)

All tests are two-sided.  Differences over draws of fixed tasks test a claim about these tasks; differences over tasks
test a claim about tasks in general, as Demšar (2006, https://jmlr.org/papers/v7/demsar06a.html) advises.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import cast

import numpy as np
from scipy import optimize, special, stats

from metaglot.errors import MetaglotError
from metaglot.evaluation.statistics.intervals import Interval

NODES = 200  # of the quadrature of a noncentral t: errors below 1e-4 from three degrees of freedom up


def paired_t(differences: Sequence[float]) -> float:
    """Return the p of the paired t test that the mean difference is zero.

    NaN with fewer than two differences, and where all are equal (their variance is zero), but 1 if all are zero.
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) and not values.any():
        return 1.0
    if len(values) < 2 or np.ptp(values) <= 1e-12 * np.abs(values).max():
        return float("nan")
    return _p(stats.ttest_1samp(values, 0.0))


def signed_rank(differences: Sequence[float]) -> float:
    """Return the p of Wilcoxon's signed-rank test that the differences are symmetric about zero.

    Zeros are left out.  NaN for no differences, 1 if all are zero.  With n differences p cannot be below 2^(1−n):
    with five tasks or fewer it never reaches 0.05.
    """
    values = np.asarray(differences, dtype=np.float64)
    if not len(values):
        return float("nan")
    if not values.any():
        return 1.0
    return _p(stats.wilcoxon(values[values != 0]))


def holm(ps: Sequence[float]) -> list[float]:
    """Return the Holm-adjusted p values, in the given order; NaN stays NaN, and is not counted as a test.

    Raises MetaglotError for a p outside [0, 1].
    """
    tests = [number for number, p in enumerate(ps) if not np.isnan(p)]
    invalid = [ps[number] for number in tests if not 0 <= ps[number] <= 1]
    if invalid:
        raise MetaglotError(f"A p value lies between 0 and 1, and one is {invalid[0]}.")
    adjusted, largest = [float("nan")] * len(ps), 0.0
    for rank, number in enumerate(sorted(tests, key=lambda index: ps[index])):
        largest = max(largest, min(1.0, (len(tests) - rank) * ps[number]))
        adjusted[number] = largest
    return adjusted


def cohen_dz(differences: Sequence[float], *, level: float = 0.95) -> Interval:
    """Return Cohen's d_z = mean / standard deviation of the differences, with its noncentral t interval.

    The interval holds every δ/√n for which t = √n d_z lies between the (1−level)/2 and (1+level)/2 quantiles of the
    noncentral t with n − 1 degrees of freedom.  All NaN with fewer than two differences or no scatter.
    """
    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    if n < 2 or np.ptp(values) <= 1e-12 * np.abs(values).max():
        return Interval(float("nan"), float("nan"), float("nan"), n)
    d = float(values.mean() / values.std(ddof=1))
    t, root = d * np.sqrt(n), np.sqrt(n)
    low, high = (_noncentrality(t, n - 1, (1 + sign * level) / 2) / root for sign in (1, -1))
    return Interval(d, low, high, n)


def share_won(differences: Sequence[float]) -> float:
    """Return the share of differences above zero; a difference of zero counts half.

    Raises MetaglotError for no differences.
    """
    if not len(differences):
        raise MetaglotError("The share of draws won needs at least one difference, and got none.")
    values = np.asarray(differences, dtype=np.float64)
    return float((values > 0).mean() + (values == 0).mean() / 2)


def _p(outcome: object) -> float:
    """Return the p of a SciPy outcome, a pair of statistic and p under annotations that say otherwise."""
    return float(cast("tuple[float, float]", outcome)[1])


@cache
def _quadrature(freedom: int) -> tuple[np.ndarray, np.ndarray]:  # [NODES], [NODES]
    """Return √(U/freedom) at the nodes, and their weights, which add up to two."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return np.sqrt(stats.chi2.ppf((nodes + 1) / 2, freedom) / freedom), weights


def _noncentrality(t: float, freedom: int, probability: float) -> float:
    """Return the noncentrality δ with P(T_freedom(δ) ≤ t) = probability; it falls as δ rises.

    P = E_U[Φ(t √(U/freedom) − δ)] over U ~ χ²_freedom, by Gauss–Legendre in the probability of U: SciPy's noncentral
    t is NaN in far tails, where the search begins.
    """
    scales, weights = _quadrature(freedom)
    scaled = t * scales

    def gap(delta: float) -> float:
        return float(special.ndtr(scaled - delta) @ weights) / 2 - probability

    reach = 9.0 + abs(t)
    while gap(t - reach) < 0 or gap(t + reach) > 0:
        reach *= 2
    root = cast("Callable[..., float]", optimize.brentq)  # its annotation also has what full_output would add
    return root(gap, t - reach, t + reach, xtol=1e-9)
