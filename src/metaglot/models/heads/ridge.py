"""Ridge: the head is the solution of a regularised least-squares problem, found in closed form.

    W = argmin ‖X W − Y‖² + λ‖W‖² = (XᵀX + λI)⁻¹ XᵀY = Xᵀ(XXᵀ + λI)⁻¹ Y,   scores = α·x W + β

X [S, D] are the features of the support units, Y [S, C] their targets: one-hot rows for classes, ±1 for labels; of the
two forms the smaller system is solved.  Of numbers the scores are the regression itself, with an intercept.  λ, α (by
their logarithms) and β are learnt.  β is one number for all classes: it has no effect under a softmax, and is there
for losses that read a score by itself.  Bertinetto et al. 2019 (R2D2), https://arxiv.org/abs/1805.08136
"""

from dataclasses import dataclass

import torch

from metaglot.models.heads.head import OWN
from metaglot.models.heads.prototypes import log_of
from metaglot.models.heads.solution import centred_layer, least_squares
from metaglot.types import Batch, Params, Problem

LOG_LAMBDA, LOG_ALPHA, BETA = (f"{OWN}ridge.{name}" for name in ("log_lambda", "log_scale", "bias"))


@dataclass(frozen=True)
class Ridge:
    """Ridge regression on the targets; differentiable in the features and in λ."""

    penalty: float = 1.0  # λ at the start
    scale: float = 10.0  # α at the start

    def init(self, width: int, *, seed: int) -> Params:
        """Return log λ, log α and β = 0; raise MetaglotError where λ or α is not positive."""
        del width, seed
        return {
            LOG_LAMBDA: log_of(self.penalty, "the penalty of a ridge head", "1 is usual"),
            LOG_ALPHA: log_of(self.scale, "the scale of a ridge head", "10 is usual"),
            BETA: torch.zeros(()),
        }

    def start(self, problem: Problem, meta: Params, support: Batch, *, seed: int | None = None) -> Params:
        """Return the solution as a linear layer."""
        units = problem.units(meta, support, seed=seed)
        targets, penalty = problem.head_spec.targets, meta[LOG_LAMBDA].exp()
        if targets == "numbers":
            return centred_layer(units, penalty)
        solution = least_squares(
            units.features, units.targets if targets == "class" else 2 * units.targets - 1, penalty
        )
        return {
            "head.weight": meta[LOG_ALPHA].exp() * solution.T,
            "head.bias": meta[BETA].to(solution.dtype).repeat(solution.shape[1]),
        }
