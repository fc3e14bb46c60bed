"""The derivative of a noisy function by differences, with a bound on the error that it may have.

    D(h) = (8 (f(h) − f(−h)) − (f(2h) − f(−2h))) / 12h,   |D(h) − f′| ≲ |D(h) − D(2h)| / 15 + σ √130 / 12h

The first term is the truncation of D, which is of fourth order; the second is the noise σ of f, divided by the step.
σ is read from differences of high order, which a smooth function leaves empty: for independent noise the mean square of
Δᵏf is (2k)!/(k!)² σ² (Moré and Wild 2011, https://doi.org/10.1137/100786125).  A network that casts to fp32 inside has
σ ≈ 1e-10 where one in float64 throughout has 1e-16, so that a longer step is better there: of several, the one with the
least bound is taken.
"""

from collections.abc import Callable, Sequence
from math import comb, factorial, sqrt
from typing import NamedTuple

STEPS = (1e-3, 1e-2, 3e-2, 1e-1)  # h
ORDERS = (6, 7, 8)  # k of the differences that the noise is read from
SAFETY = 6.0  # of the noise, whose estimate comes from few numbers
ENOUGH = 1e-7  # relative; a step with a smaller bound ends the search


class Derivative(NamedTuple):
    """An estimate of f′(0)."""

    value: float
    bound: float  # on its error, absolute
    noise: float  # σ of f


def derivative(function: Callable[[float], float]) -> Derivative:
    """Return the derivative of `function` at 0; it is evaluated 9 times, or up to 36 times where it is noisy."""
    best: Derivative | None = None
    for step in STEPS:
        estimate = _of([function(step * k) for k in range(-4, 5)], step, best.noise if best else 0.0)
        best = estimate if best is None or estimate.bound < best.bound else best._replace(noise=estimate.noise)
        if best.bound <= ENOUGH * abs(best.value):
            break
    assert best is not None
    return best


def noise_of(values: Sequence[float]) -> float:
    """Return σ of a function from its values at equal distances, nine at least."""
    squares: list[float] = []
    for k in ORDERS:
        weights = [(-1) ** j * comb(k, j) for j in range(k + 1)]
        sums = [sum(w * values[at + j] for j, w in enumerate(weights)) for at in range(len(values) - k)]
        squares.append(factorial(k) ** 2 / factorial(2 * k) * sum(x * x for x in sums) / len(sums))
    return sqrt(sum(squares) / len(squares))


def _of(values: Sequence[float], step: float, noise: float) -> Derivative:
    """Return the derivative from f(−4h) … f(4h); `noise` is the largest of the shorter steps."""
    near, far = (
        (8 * (values[4 + k] - values[4 - k]) - (values[4 + 2 * k] - values[4 - 2 * k])) / (12 * k * step)
        for k in (1, 2)
    )
    noise = max(noise, noise_of(values))
    return Derivative(near, abs(near - far) / 15 + SAFETY * noise * sqrt(130) / (12 * step), noise)
