"""SVM: the head is the solution of a multi-class support vector machine, and is differentiated through.

    min over W, ξ of  ½ Σ_k ‖w_k‖² + C Σ_n ξ_n   so that   ⟨w_{y_n} − w_k, x_n⟩ ≥ 1 − [k = y_n] − ξ_n

(Crammer and Singer 2001).  The dual is solved in float64 without a graph (`dual.py`); the derivative of W with respect
to the features and C is that of one Newton step at the solution, exact where no constraint changes sides.  Scores are
γ·⟨w_k, x⟩; C and γ are learnt by their logarithms.  Lee et al. 2019 (MetaOptNet), https://arxiv.org/abs/1904.03758
"""

from dataclasses import dataclass

from torch import Tensor

from metaglot.errors import MetaglotError
from metaglot.models.heads.dual import newton, solve
from metaglot.models.heads.head import OWN, check_targets
from metaglot.models.heads.prototypes import log_of
from metaglot.types import Batch, Params, Problem, Targets

CALLED = "a multi-class machine"
ABLE: tuple[Targets, ...] = ("class",)
"""The targets that it is made for."""
LOG_C, LOG_GAMMA = (f"{OWN}svm.{name}" for name in ("log_c", "log_scale"))


@dataclass(frozen=True)
class Svm:
    """A Crammer–Singer machine on the support features."""

    c: float = 1.0  # price of a violated margin at the start
    scale: float = 10.0  # γ at the start

    def init(self, width: int, *, seed: int) -> Params:
        """Return log C and log γ; raise MetaglotError where either is not positive."""
        del width, seed
        return {
            LOG_C: log_of(self.c, "C of an SVM head", "1 is usual"),
            LOG_GAMMA: log_of(self.scale, "the scale of an SVM head", "10 is usual"),
        }

    def start(self, problem: Problem, meta: Params, support: Batch, *, seed: int | None = None) -> Params:
        """Return the machine as a linear layer."""
        check_targets(problem, CALLED, ABLE)
        units = problem.units(meta, support, seed=seed)
        weight = svm(units.features, units.targets, meta[LOG_C].exp())
        return {"head.weight": meta[LOG_GAMMA].exp() * weight, "head.bias": weight.new_zeros(weight.shape[0])}


def svm(features: Tensor, targets: Tensor, c: Tensor) -> Tensor:  # [S, D], [S, C] one-hot, [] -> [C, D]
    """Return the weights of the machine; differentiable once in `features` and `c`.

    Raises MetaglotError for targets that are not one class a unit.

    With w_k = C Σ_n a_nk x_n the dual is, in units of C:  min ½ Σ_k a_kᵀ Q a_k − Σ_n a_{n y_n}  with Q = C·XXᵀ,
    a_nk ≤ [k = y_n] and Σ_k a_nk = 0.
    """
    x, price = features.double(), c.double()
    bounds = targets.double()  # [S, C]
    if not bool(((bounds == 0) | (bounds == 1)).all() and (bounds.sum(1) == 1).all()):
        raise MetaglotError("an SVM head needs exactly one class a unit; use the head ridge or prototypes")
    kernel = price * x @ x.T
    duals = newton(kernel, bounds, solve(kernel.detach(), bounds))
    return (price * duals.T @ x).to(features.dtype)
