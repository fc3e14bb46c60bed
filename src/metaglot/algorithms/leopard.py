"""LEOPARD: a meta-network writes the head from the support set; then head and body take steps at learnt rates.

    (w_c, b_c) = mean of g(f(x_i)) over the class,   φ_{t+1} = φ_t − α_layer ∇L(φ_t; support)

Bansal et al. 2020, https://arxiv.org/abs/1911.03863.  Theirs moves the layers above a chosen one: name them as the
scope, e.g. encoder.layer.5.*.  Here the generator starts as prototypes (`models/heads/generated.py`).
"""

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.choices import ESTIMATORS
from metaglot.inner import EstimatorName, LayerRates
from metaglot.models import All, Generated, Scope


def leopard(
    *,
    lr: float | None = None,
    head_lr: float | None = None,
    steps: int = 3,
    layers: int = 1,
    scope: Scope = All(),
    dropout: bool = True,
    estimator: EstimatorName = "auto",
) -> GradientBased:
    """Return LEOPARD with the exact gradient; `layers` are those of the generator."""
    rule = LayerRates(lr=lr, head_lr=head_lr)
    outer_estimator = ESTIMATORS[estimator]()
    return GradientBased(scope, Generated(layers=layers), rule, steps=steps, estimator=outer_estimator, dropout=dropout)
