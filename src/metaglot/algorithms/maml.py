"""MAML: learn a start point from which a few gradient steps suffice.

    φ_0 = θ,  φ_{t+1} = φ_t − lr ∇L(φ_t; support),  min over θ of L(φ_T; query), differentiated through every step

Finn et al. 2017, https://arxiv.org/abs/1703.03400; from prototypes: Triantafillou et al. 2020, arXiv:1903.03096.
"""

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.algorithms.rates import head_rate
from metaglot.choices import ESTIMATORS
from metaglot.inner import EstimatorName, Sgd, first_order
from metaglot.models import All, Head, Prototypes, Scope


def maml(
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
    """Return MAML with the exact gradient, found in the way that `estimator` names."""
    rule = Sgd(lr=lr, head_lr=head_rate(head, lr, head_lr), clip=clip)
    return GradientBased(
        scope=scope, head=head, rule=rule, steps=steps, estimator=ESTIMATORS[estimator](), dropout=dropout
    )


def fomaml(
    *,
    lr: float | None = None,
    head_lr: float | None = None,
    steps: int = 3,
    head: Head = Prototypes(),
    scope: Scope = All(),
    clip: float | None = None,
    dropout: bool = True,
) -> GradientBased:
    """Return first-order MAML: the gradient at the adapted parameters, carried to the start."""
    rule = Sgd(lr=lr, head_lr=head_rate(head, lr, head_lr), clip=clip)
    return GradientBased(scope=scope, head=head, rule=rule, steps=steps, estimator=first_order, dropout=dropout)
