"""Ridge regression of several columns over the same features, each with weights of its own.

    W_k, b_k = argmin Σ_i v_ik (x_i·w + b − y_ik)² + λ‖w‖²,        v_ik = m_i u_k where i is in S_k, else m_i d_k

A column has two weights, that of the rows in S_k and that of the others.  So its matrix is one that all columns share,
G = Σ_i m_i x_i x_iᵀ, and a correction of the rank of the smaller side, P_k:

    A_k = λI + o_k G + c_k Σ_{i∈P_k} m_i x_i x_iᵀ,                 o_k the lesser weight, c_k = |u_k − d_k|

G is decomposed once.  (λI + o_k G)⁻¹ is then diagonal, and A_k⁻¹ follows by the identity of Woodbury 1950.  The
intercept is not penalised: b_k = (v·y − (Xᵀv)·A⁻¹Xᵀvy) / (v·1 − (Xᵀv)·A⁻¹Xᵀv).
"""

import torch
from torch import Tensor


def weighted_ridge(  # [n, D], [n, K] of ±1, [n, K], [n], [] -> [K, D], [K]
    x: Tensor, y: Tensor, weights: Tensor, mass: Tensor, penalty: float
) -> tuple[Tensor, Tensor]:
    """Return W and b.

    `weights` are v: all rows of +1 in a column have the same weight times their `mass` m, and so have all rows of −1.
    """
    centre = mass @ x / mass.sum()
    own, back = _coordinates(x - centre)
    values, vectors = torch.linalg.eigh(own.T @ (mass[:, None] * own))
    rows, values = own @ vectors, values.clamp(min=0)
    right = torch.stack([rows.T @ (weights * y), rows.T @ weights], 2)  # [r, K, 2]
    total, level = weights.sum(0), (weights * y).sum(0)
    weight, bias = x.new_zeros(y.shape[1], len(values)), x.new_zeros(y.shape[1])
    for k in range(y.shape[1]):
        side = _smaller(y[:, k] > 0, mass)
        at, other = int(side.int().argmax()), int(side.int().argmin())
        ratio = weights[:, k] / mass
        least = ratio[other]
        update = (mass[side] * (ratio[at] - least)).sqrt()[:, None] * rows[side]
        solved = _solve(penalty + least * values, update, right[:, k])
        beside = right[:, k, 1] @ solved
        bias[k] = (level[k] - beside[0]) / (total[k] - beside[1])
        weight[k] = solved[:, 0] - bias[k] * solved[:, 1]
    weight = weight @ vectors.T @ back
    return weight, bias - weight @ centre


def _coordinates(x: Tensor) -> tuple[Tensor, Tensor]:  # [n, D] -> [n, r], [r, D]
    """Return rows in the coordinates of the space that they span, r = min(n, D), and the way back."""
    if len(x) >= x.shape[1]:
        return x, torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    basis, rows = torch.linalg.qr(x.T)
    return rows.T, basis.T


def _smaller(side: Tensor, mass: Tensor) -> Tensor:  # [n] bool
    """Return the rows of the side that has less mass: it has the larger weight."""
    return side if 2 * mass[side].sum() <= mass.sum() else ~side


def _solve(diagonal: Tensor, update: Tensor, right: Tensor) -> Tensor:  # [r], [p, r], [r, 2] -> [r, 2]
    """Return (diag(d) + UᵀU)⁻¹ right by the smaller of the two systems."""
    if len(update) > len(diagonal):
        return _cholesky(diagonal.diag() + update.T @ update, right)
    plain, across = right / diagonal[:, None], update / diagonal
    inner = torch.eye(len(update), dtype=right.dtype, device=right.device) + across @ update.T
    return plain - across.T @ _cholesky(inner, update @ plain)


def _cholesky(square: Tensor, right: Tensor) -> Tensor:
    return torch.cholesky_solve(right, torch.linalg.cholesky(square))
