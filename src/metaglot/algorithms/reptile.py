"""Reptile: move the start point towards where fine-tuning on the task goes, θ ← θ + ε(φ_T(θ) − θ).

The steps take minibatches of the task in turn: that gradients of different minibatches come to agree is what it learns
beside the loss.

Nichol et al. 2018, https://arxiv.org/abs/1803.02999
"""

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.algorithms.rates import head_rate
from metaglot.inner import Adam, Rule, Sgd
from metaglot.inner import reptile as estimate
from metaglot.models import All, Head, Prototypes, Scope

ADAM_LR = 1e-3  # where Adam takes the steps and no rate is given


def reptile(
    *,
    lr: float | None = None,
    head_lr: float | None = None,
    steps: int = 5,
    head: Head = Prototypes(),
    scope: Scope = All(),
    adam: bool = False,
    batch_size: int | None = 8,
    dropout: bool = True,
) -> GradientBased:
    """Return Reptile; its inner loop goes through support and query together, by gradient descent or Adam."""
    descent = Sgd(lr=lr, head_lr=head_rate(head, lr, head_lr))
    rule: Rule = Adam(lr=ADAM_LR if lr is None else lr, head_lr=head_lr) if adam else descent
    return GradientBased(scope, head, rule, steps=steps, estimator=estimate, dropout=dropout, batch_size=batch_size)
