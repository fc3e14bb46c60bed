"""R2D2: the head is the ridge regression of the labels on the features; the body learns through its closed form.

    W = Xᵀ(XXᵀ + λI)⁻¹ Y,   scores = α·f(x) W + β,   λ, α, β learnt

Bertinetto et al. 2019, https://arxiv.org/abs/1805.08136
"""

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.inner import Sgd, unrolled
from metaglot.models import HeadOnly, Ridge


def r2d2(*, penalty: float = 1.0, scale: float = 10.0, dropout: bool = True) -> GradientBased:
    """Return ridge regression with learnt penalty and scale, and no inner step."""
    head = Ridge(penalty=penalty, scale=scale)
    return GradientBased(HeadOnly(), head, Sgd(), steps=0, estimator=unrolled, dropout=dropout)
