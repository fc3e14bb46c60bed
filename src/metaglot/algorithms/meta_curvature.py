"""Meta-Curvature: learn the start point, and matrices that turn every gradient: φ ← φ − lr·L ∇L(φ; support) R.

    min over θ, L and R of L(φ_T; query), differentiated through every step; L and R start as the identity

Park and Oliva 2019, https://arxiv.org/abs/1902.03356
"""

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.algorithms.rates import head_rate
from metaglot.choices import ESTIMATORS
from metaglot.inner import Curvature, EstimatorName
from metaglot.models import All, Head, Prototypes, Scope


def meta_curvature(
    *,
    lr: float | None = None,
    head_lr: float | None = None,
    steps: int = 3,
    limit: int = 2048,
    head: Head = Prototypes(),
    scope: Scope = All(),
    dropout: bool = True,
    estimator: EstimatorName = "auto",
) -> GradientBased:
    """Return Meta-Curvature with the exact gradient; sides of a matrix longer than `limit` are left as they are."""
    rule = Curvature(lr=lr, head_lr=head_rate(head, lr, head_lr), limit=limit)
    return GradientBased(
        scope=scope, head=head, rule=rule, steps=steps, estimator=ESTIMATORS[estimator](), dropout=dropout
    )
