"""The head of numbers in closed form: ridge regression, its penalty by each example left out.

    f(x) = w·x + b          ridge:      w, b = argmin Σ_i (y_i − f(x_i))² + λ‖w‖²,  b is not penalised
    λ = argmin Σ_i (e_i / (1 − h_ii))²              e_i the residual, h_ii its leverage; the error without example i

The error without an example is exact, since ridge regression is linear in the targets (Allen 1974).  All is computed
in float64.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from metaglot.errors import MetaglotError

PENALTIES = tuple(10.0 ** (half / 2) for half in range(-4, 5))  # λ for features of length one: 0.01 … 100
MOST_LEVELS, EVEN = 100, 1e-6  # levels that are filled in, and how exactly steps are alike
CERTAIN = 1e-9  # of 1 − h_ii: below it, an example alone decides its own prediction


class Line(NamedTuple):
    """A linear function of features."""

    weight: Tensor  # [D], float64
    bias: Tensor  # []


class Ridge(NamedTuple):
    """Ridge regression, and how far it is wrong about examples that it was made without."""

    line: Line
    penalty: float  # λ
    spread: float  # root of the mean squared error on examples set aside, in units of the targets


def ridge(features: Tensor, targets: Tensor, penalties: Sequence[float] = PENALTIES) -> Ridge:  # [n, D], [n]
    """Return ridge regression with the penalty whose error without each example is least.

    With equal errors the larger penalty is taken.  One example alone gives its number everywhere.
    """
    x, y = _checked(features, targets)
    errors = [(_mean_square(held_out_errors(x, y, penalty)), -penalty) for penalty in penalties]
    error, penalty = min(errors)
    return Ridge(centred(x, y, -penalty), -penalty, math.sqrt(error))


def centred(features: Tensor, targets: Tensor, penalty: float) -> Line:  # [n, D], [n]
    """Return ridge regression with an intercept that is not penalised; the penalty is above 0."""
    x, y = _checked(features, targets)
    centre, level = x.mean(0), y.mean()
    dual = torch.linalg.solve(_square(x - centre, penalty), y - level)
    weight = (x - centre).T @ dual
    return Line(weight, level - centre @ weight)


def held_out_errors(features: Tensor, targets: Tensor, penalty: float) -> Tensor:  # [n, D], [n] -> [n]
    """Return y_i − f(x_i) for the f of all other examples; of one example alone, 0."""
    x, y = _checked(features, targets)
    if len(y) == 1:
        return torch.zeros_like(y)
    inner = x - x.mean(0)
    inverse = torch.linalg.inv(_square(inner, penalty))
    residuals = penalty * inverse @ (y - y.mean())
    kept = (penalty * inverse.diagonal() - 1 / len(y)).clamp(min=CERTAIN)  # 1 − h_ii
    return residuals / kept


def levels_of(numbers: Sequence[float]) -> tuple[float, ...]:
    """Return the levels, ascending; those between them too, where all are a whole number of the least step apart."""
    levels = sorted(set(map(float, numbers)))
    if len(levels) < 2:
        return tuple(levels)
    step = min(high - low for low, high in pairwise(levels))
    steps = (levels[-1] - levels[0]) / step
    if steps >= MOST_LEVELS - 0.5:
        return tuple(levels)
    grid = [levels[0] + step * place for place in range(round(steps) + 1)]
    even = all(min(abs(level - one) for one in grid) < EVEN * step for level in levels)
    return tuple(grid) if even else tuple(levels)


def nearest_level(numbers: Tensor, levels: Tensor) -> Tensor:  # [n], [K] ascending -> [n]
    """Return the level nearest to each number; half way between two, the lower one."""
    return levels[torch.bucketize(numbers, (levels[1:] + levels[:-1]) / 2)]


def _square(x: Tensor, penalty: float) -> Tensor:  # [n, n]
    return x @ x.T + penalty * torch.eye(len(x), dtype=x.dtype, device=x.device)


def _mean_square(errors: Tensor) -> float:
    return float(errors.pow(2).mean())


def _checked(features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    if features.dim() != 2 or targets.shape != features.shape[:1] or not len(targets):
        raise MetaglotError(
            f"features of shape {tuple(features.shape)} came with targets of shape {tuple(targets.shape)}; "
            "a head of numbers wants [n, D] and [n], of one example at least"
        )
    return features.double(), targets.double()
