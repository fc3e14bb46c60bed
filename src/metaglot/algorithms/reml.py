"""REML: a recurrent network is the learning rule; it keeps a memory of the gradients while a task goes on.

    (Δφ_t, state) = LSTM(∇L(φ_t; support), L(φ_t; support), state),  min over θ and the LSTM of Σ_t L(φ_t; query)

The loss after every step counts, as in Andrychowicz et al. 2016, https://arxiv.org/abs/1606.04474; the rule starts
as gradient descent, and the start point is learnt with it, as in Ravi and Larochelle 2017,
https://openreview.net/forum?id=rJY0-Kcll.
"""

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.algorithms.rates import head_rate
from metaglot.choices import ESTIMATORS
from metaglot.inner import EstimatorName, Recurrent
from metaglot.models import Head, Lora, Prototypes, Scope


def reml(
    *,
    lr: float | None = None,
    head_lr: float | None = None,
    steps: int = 5,
    hidden: int = 8,
    head: Head = Prototypes(),
    scope: Scope = Lora(),
    dropout: bool = True,
    estimator: EstimatorName = "auto",
) -> GradientBased:
    """Return a recurrent rule with the exact gradient; memory grows with what moves, so LoRA moves by default."""
    return GradientBased(
        scope=scope,
        head=head,
        rule=Recurrent(lr=lr, head_lr=head_rate(head, lr, head_lr), hidden=hidden),
        steps=steps,
        estimator=ESTIMATORS[estimator](),
        dropout=dropout,
        weights=(1.0,) * steps if steps > 0 else None,
    )
