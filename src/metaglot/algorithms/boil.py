"""BOIL: adapt the body and leave the head as it starts, so that features move towards the classes.

    θ_body ← θ_body − lr ∇L(θ; support),   θ_head stays

Oh et al. 2021, https://arxiv.org/abs/2008.08882.  Label sets differ from task to task here, so the head that stays is
the prototypes of the unadapted body, with a learnt scale.
"""

from typing import Literal

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.choices import ESTIMATORS
from metaglot.inner import EstimatorName, Sgd
from metaglot.models import All, Prototypes, Scope


def boil(
    *,
    lr: float | None = None,
    steps: int = 3,
    metric: Literal["cosine", "euclidean"] = "cosine",
    scope: Scope = All(),
    dropout: bool = True,
    estimator: EstimatorName = "auto",
) -> GradientBased:
    """Return BOIL with the exact gradient."""
    rule = Sgd(lr=lr, head_lr=0.0)
    return GradientBased(
        scope, Prototypes(metric=metric), rule, steps=steps, estimator=ESTIMATORS[estimator](), dropout=dropout
    )
