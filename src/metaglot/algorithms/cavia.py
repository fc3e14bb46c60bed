"""CAVIA: the inner loop moves a context vector beside the input; what is shared is learnt by the outer loop alone.

    c_0 = 0,   c_{t+1} = c_t − lr ∇_c L(c_t; support),   every token embedding e becomes e + W c_T

Zintgraf et al. 2019, https://arxiv.org/abs/1810.03642.  Label sets differ from task to task here, so the head starts
from the support set and moves too; `head_lr: 0` leaves it there and moves the context alone.
"""

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.choices import ESTIMATORS
from metaglot.inner import EstimatorName, Sgd
from metaglot.models import Context, Head, Prototypes


def cavia(
    *,
    lr: float | None = None,
    head_lr: float | None = None,
    steps: int = 3,
    size: int = 32,
    head: Head = Prototypes(),
    dropout: bool = True,
    estimator: EstimatorName = "auto",
) -> GradientBased:
    """Return CAVIA with a context of `size` numbers and the exact gradient."""
    rule = Sgd(lr=lr, head_lr=head_lr)
    return GradientBased(Context(size), head, rule, steps=steps, estimator=ESTIMATORS[estimator](), dropout=dropout)
