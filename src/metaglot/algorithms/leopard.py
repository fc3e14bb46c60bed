"""LEOPARD: a meta-network writes the head from the support set; then head and body take steps at learnt rates.

    (w_c, b_c) = g({f(x_i) : y_i = c}),   φ_{t+1} = φ_t − α_layer ∇L(φ_t; support)

Bansal et al. 2020, https://arxiv.org/abs/1911.03863.  Theirs moves the layers above a chosen one: name them as the
scope, e.g. encoder.layer.5.*.  Here the generator starts as prototypes (`models/heads/generated.py`).  Without
`exact` the outer gradient is of first order, which no learnt rate would feel, so the rates are fixed.
"""

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.inner import LayerRates, Rule, Sgd, first_order, unrolled
from metaglot.models import All, Generated, Scope


def leopard(
    *,
    lr: float = 1e-2,
    head_lr: float | None = None,
    steps: int = 3,
    layers: int = 1,
    scope: Scope = All(),
    exact: bool = True,
    dropout: bool = True,
) -> GradientBased:
    """Return LEOPARD; `layers` are those of the generator, `exact` is the second-order gradient with learnt rates."""
    rule: Rule = LayerRates(lr=lr, head_lr=head_lr) if exact else Sgd(lr=lr, head_lr=head_lr)
    estimator = unrolled if exact else first_order
    return GradientBased(scope, Generated(layers=layers), rule, steps=steps, estimator=estimator, dropout=dropout)
