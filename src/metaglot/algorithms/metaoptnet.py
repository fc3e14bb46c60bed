"""MetaOptNet: the head is a multi-class support vector machine; the body learns through its optimality conditions.

    W = argmin ½ Σ_k ‖w_k‖² + C Σ_n max_k( ⟨w_k − w_{y_n}, f(x_n)⟩ + 1 − [k = y_n] ),   scores = γ·f(x) Wᵀ

Lee et al. 2019, https://arxiv.org/abs/1904.03758
"""

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.inner import Sgd, unrolled
from metaglot.models import HeadOnly, Svm


def metaoptnet(*, c: float = 1.0, scale: float = 10.0, dropout: bool = True) -> GradientBased:
    """Return the machine with learnt C and scale, and no inner step."""
    return GradientBased(HeadOnly(), Svm(c=c, scale=scale), Sgd(), steps=0, estimator=unrolled, dropout=dropout)
