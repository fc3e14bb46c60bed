"""The dual of a multi-class SVM by a primal-dual interior-point method (Mehrotra's predictor and corrector).

    min ½ Σ_k a_kᵀ Q a_k − Σ_n a_{n y_n}   so that   a ≤ h,  Σ_k a_nk = 0,      h_nk = [k = y_n]

With multipliers z ≥ 0 of the bounds and v of the sums, slack s = h − a and r = Q a − h + z + v, Newton's equations are
(Q + diag(z_k/s_k)) Δa_k + Δv = t_k and Σ_k Δa_k = 0: one factorisation a class and one of the sum of their inverses,
O(C S³).  Mehrotra 1992, https://doi.org/10.1137/0802028; Nocedal and Wright 2006, ch. 16.6.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from metaglot.errors import MetaglotError

TOLERANCE = 1e-12  # of the error
ENOUGH = 1e-9  # where rounding stops it before
ROUNDS = 100
FLOOR = 1e-8  # of z/s, in units of the mean of diag(Q): between its own error and that of rounding


class Solution(NamedTuple):
    """A point that is strictly inside the bounds, and its multipliers."""

    a: Tensor  # [S, C]
    z: Tensor  # [S, C], of a ≤ h
    v: Tensor  # [S], of the sums


class _Newton:
    """The factorised equations at a point."""

    def __init__(self, kernel: Tensor, ratio: Tensor) -> None:  # [S, S], z/s [S, C]
        # The floor keeps a kernel of low rank (fewer features than examples) invertible; W hardly feels it.
        floor = FLOOR * float(kernel.diagonal().mean().clamp(min=1e-300))
        factors, _ = torch.linalg.cholesky_ex(kernel + torch.diag_embed(ratio.T.clamp(min=floor)))
        self._inverse = torch.cholesky_inverse(factors)  # [C, S, S]
        self._sum, _ = torch.linalg.cholesky_ex(self._inverse.sum(0))

    def __call__(self, right: Tensor) -> tuple[Tensor, Tensor]:  # [S, C] -> [S, C], [S]
        """Return Δa and Δv."""
        alone = torch.einsum("kij,jk->ik", self._inverse, right)
        v = torch.cholesky_solve(alone.sum(1, keepdim=True), self._sum)  # [S, 1]
        return alone - torch.einsum("kij,j->ik", self._inverse, v[:, 0]), v[:, 0]


def solve(kernel: Tensor, bounds: Tensor) -> Solution:  # [S, S], [S, C]
    """Return the solution, without a graph; raise MetaglotError where none is found (features that are not finite)."""
    if not bool(kernel.isfinite().all()):
        raise MetaglotError("the SVM head met features that are not finite; lower the learning rate")
    with torch.no_grad():
        at = Solution(bounds - 1 / bounds.shape[1], torch.ones_like(bounds), torch.zeros_like(bounds[:, 0]))
        error = _error(kernel, bounds, at)
        for _ in range(ROUNDS):
            after = _round(kernel, bounds, at) if error > TOLERANCE else None
            now = error if after is None else _error(kernel, bounds, after)
            if after is None or (error <= ENOUGH and not now < error):  # solved, or as well as rounding lets it
                return at
            at, error = after, now
    raise MetaglotError(
        f"the SVM head did not converge in {ROUNDS} rounds; lower C (C·‖x‖² is {float(kernel.max()):.3g})"
    )


def newton(kernel: Tensor, bounds: Tensor, at: Solution) -> Tensor:  # [S, C]
    """Return the dual variables after one Newton step from the solution; differentiable once in `kernel`.

    A bound with less slack than multiplier is met exactly, any other is taken as absent.  The matrix of the step is a
    constant: only the residual carries derivatives, which is the implicit function theorem.
    """
    slack = bounds - at.a
    tight = slack < at.z
    stiff = tight * (1e10 * float(kernel.detach().abs().max()))
    residual = _residual(kernel, bounds, at._replace(z=at.z * tight))
    moved, _ = _Newton(kernel.detach(), stiff)(stiff * slack - residual)
    return at.a + moved


def _residual(kernel: Tensor, bounds: Tensor, at: Solution) -> Tensor:
    return kernel @ at.a - bounds + at.z + at.v[:, None]


def _error(kernel: Tensor, bounds: Tensor, at: Solution) -> float:
    """Return how far the point is from the solution; where Q is large, a is small, and s·z must be too."""
    size = max(1.0, float(kernel.abs().max()))
    gap = ((bounds - at.a) * at.z).mean()
    return max(float(gap) * size, float(_residual(kernel, bounds, at).abs().max()) / size)


def _round(kernel: Tensor, bounds: Tensor, at: Solution) -> Solution:
    """Take one predictor and one corrector step."""
    slack = bounds - at.a
    residual, gap = _residual(kernel, bounds, at), (slack * at.z).mean()
    step = _Newton(kernel, at.z / slack)
    a, _ = step(-residual + at.z)
    z = -at.z + at.z / slack * a
    length = _longest(slack, -a, at.z, z)
    foreseen = ((slack - length * a) * (at.z + length * z)).mean()
    # s z − σμ, with what the predictor's second order term −Δa Δz adds.
    target = slack * at.z - a * z - (foreseen / gap) ** 3 * gap
    a, v = step(-residual + target / slack)
    z = (-target + at.z * a) / slack
    length = 0.995 * _longest(slack, -a, at.z, z)
    return Solution(at.a + length * a, at.z + length * z, at.v + length * v)


def _longest(slack: Tensor, of_slack: Tensor, z: Tensor, of_z: Tensor) -> float:
    """Return the longest step up to 1 after which slack and multipliers are not negative."""
    shrink = torch.stack([-of_slack / slack, -of_z / z]).max()  # 1 / the step at which the first of them is zero
    return 1.0 / max(1.0, float(shrink))
