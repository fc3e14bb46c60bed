"""Meta-SGD: learn the start point, and a rate for every parameter: φ ← φ − lr·α ∘ ∇L(φ; support).

    min over θ and α of L(φ_T; query), differentiated through every step

Li et al. 2017, https://arxiv.org/abs/1707.09835
"""

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.algorithms.rates import head_rate
from metaglot.choices import ESTIMATORS
from metaglot.inner import EstimatorName, MetaSgd
from metaglot.models import All, Head, Prototypes, Scope


def meta_sgd(
    *,
    lr: float | None = None,
    head_lr: float | None = None,
    steps: int = 3,
    head: Head = Prototypes(),
    scope: Scope = All(),
    clip: float | None = None,
    dropout: bool = True,
    estimator: EstimatorName = "auto",
) -> GradientBased:
    """Return Meta-SGD with the exact gradient; rates start at `lr`.  (The paper takes one step.)"""
    rule = MetaSgd(lr=lr, head_lr=head_rate(head, lr, head_lr), clip=clip)
    return GradientBased(
        scope=scope, head=head, rule=rule, steps=steps, estimator=ESTIMATORS[estimator](), dropout=dropout
    )
