"""ProtoNet: classify by the nearest class mean; the body is meta-learnt so that class means are good.

    p(y = c | x) = softmax_c( s·⟨f(x), μ_c/‖μ_c‖⟩ )  or  softmax_c( −s·‖f(x) − μ_c‖² ),  μ_c the support mean of c

Snell et al. 2017, https://arxiv.org/abs/1703.05175
"""

from typing import Literal

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.inner import Sgd, unrolled
from metaglot.models import HeadOnly, Prototypes


def protonet(
    *, metric: Literal["cosine", "euclidean"] = "cosine", scale: float = 10.0, dropout: bool = True
) -> GradientBased:
    """Return prototypes with a learnt scale and no inner step."""
    return GradientBased(
        scope=HeadOnly(),
        head=Prototypes(metric=metric, scale=scale),
        rule=Sgd(),
        steps=0,
        estimator=unrolled,
        dropout=dropout,
    )
