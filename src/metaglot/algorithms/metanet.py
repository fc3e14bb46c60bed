"""MetaNet: a meta-network reads the support gradient and writes the task's weights, here LoRA's, in one step.

    B ← B − α·net(∇_B L(φ; support)),  W ← W − β ∇_W L(φ; support) for the head,  min over all of L(φ; query)

Munkhdalai and Yu 2017, https://arxiv.org/abs/1703.00837; the rule says what is different here
(`inner/metanet.py`).  The head starts from prototypes, since one of zeros passes no gradient on to what it reads.
"""

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.choices import ESTIMATORS
from metaglot.inner import EstimatorName, MetaNet
from metaglot.models import Head, Lora, Prototypes, Scope


def metanet_1(
    *,
    lr: float | None = None,
    head_lr: float | None = None,
    steps: int = 1,
    head: Head = Prototypes(),
    scope: Scope = Lora(),
    dropout: bool = True,
    estimator: EstimatorName = "auto",
) -> GradientBased:
    """Return a meta-network of one layer: a linear map of each row of the gradient."""
    rule = MetaNet(lr=lr, head_lr=head_lr, layers=1)
    return GradientBased(
        scope=scope, head=head, rule=rule, steps=steps, estimator=ESTIMATORS[estimator](), dropout=dropout
    )


def metanet_n(
    *,
    lr: float | None = None,
    head_lr: float | None = None,
    steps: int = 1,
    layers: int = 3,
    hidden: int = 32,
    head: Head = Prototypes(),
    scope: Scope = Lora(),
    dropout: bool = True,
    estimator: EstimatorName = "auto",
) -> GradientBased:
    """Return a meta-network of so many layers, `hidden` wide."""
    rule = MetaNet(lr=lr, head_lr=head_lr, layers=layers, hidden=hidden)
    return GradientBased(
        scope=scope, head=head, rule=rule, steps=steps, estimator=ESTIMATORS[estimator](), dropout=dropout
    )
