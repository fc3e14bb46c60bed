"""MatchingNet: a text has the labels of the support texts that it is like, weighted by attention.

    p(y = c | x) = Σ_i a(x, x_i) [y_i = c],   a = softmax_i( s·cos(f(x), f(x_i)) )

Vinyals et al. 2016, https://arxiv.org/abs/1606.04080
"""

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.inner import Sgd, unrolled
from metaglot.models import HeadOnly, Matching


def matchingnet(*, scale: float = 10.0, dropout: bool = True) -> GradientBased:
    """Return attention over the support set with a learnt scale, and no inner step."""
    return GradientBased(HeadOnly(), Matching(scale=scale), Sgd(), steps=0, estimator=unrolled, dropout=dropout)
