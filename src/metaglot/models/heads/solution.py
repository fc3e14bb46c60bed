"""Ridge regression in closed form, by the smaller of two systems.

W = argmin ‖X W − Y‖² + λ‖W‖² = (XᵀX + λI)⁻¹ XᵀY = Xᵀ(XXᵀ + λI)⁻¹ Y
"""

import torch
from torch import Tensor

from metaglot.types import Units


def least_squares(features: Tensor, targets: Tensor, penalty: Tensor) -> Tensor:  # [S, D], [S, C], [] -> [D, C]
    """Return argmin over W of ‖X W − Y‖² + λ‖W‖², by the smaller of the two systems."""
    count, width = features.shape
    if count < width:
        return features.T @ _solve(features @ features.T, penalty, targets)
    return _solve(features.T @ features, penalty, features.T @ targets)


def centred_layer(units: Units, penalty: Tensor) -> dict[str, Tensor]:
    """Return the ridge regression of the targets with an intercept that is not penalised, as a linear layer."""
    centre, level = units.features.mean(0), units.targets.mean(0)
    solution = least_squares(units.features - centre, units.targets - level, penalty)
    return {"head.weight": solution.T, "head.bias": level - centre @ solution}


def _solve(square: Tensor, penalty: Tensor, right: Tensor) -> Tensor:
    eye = torch.eye(square.shape[0], dtype=square.dtype, device=square.device)
    return torch.cholesky_solve(right, torch.linalg.cholesky(square + penalty * eye))
