"""ProtoMAML: MAML from a head of prototypes, w_c = 2 s μ_c, b_c = −s‖μ_c‖², differentiated through them.

Triantafillou et al. 2020, https://arxiv.org/abs/1903.03096
"""

from typing import Literal

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.algorithms.maml import maml
from metaglot.inner import EstimatorName
from metaglot.models import All, Prototypes, Scope


def protomaml(
    *,
    lr: float | None = None,
    head_lr: float | None = None,
    steps: int = 3,
    metric: Literal["cosine", "euclidean"] = "euclidean",
    scale: float = 10.0,
    scope: Scope = All(),
    dropout: bool = True,
    estimator: EstimatorName = "auto",
) -> GradientBased:
    """Return MAML from prototypes, with the exact gradient."""
    head = Prototypes(metric=metric, scale=scale)
    return maml(lr=lr, head_lr=head_lr, steps=steps, head=head, scope=scope, dropout=dropout, estimator=estimator)
