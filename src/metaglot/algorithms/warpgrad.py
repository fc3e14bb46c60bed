"""WarpGrad (as T-Net): learnt matrices behind the layers that the inner loop moves precondition its steps.

    y = T (W x + b),   W ← W − lr Tᵀ (∂L/∂y) xᵀ,   T learnt by the outer loop alone

Lee and Choi 2018 (T-Net), https://arxiv.org/abs/1801.05558; Flennerhag et al. 2020 (WarpGrad),
https://arxiv.org/abs/1909.00025.  The outer gradient is that of the query loss after the steps, as in T-Net; WarpGrad's
own objective along the path is `weights` of `GradientBased`.  Whole layers as warps: `maml` with the scope all-but.
"""

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.algorithms.rates import head_rate
from metaglot.choices import ESTIMATORS
from metaglot.inner import EstimatorName, Sgd
from metaglot.models import Head, Prototypes, Warp


def warpgrad(
    *,
    lr: float | None = None,
    head_lr: float | None = None,
    steps: int = 3,
    targets: tuple[str, ...] | None = None,
    head: Head = Prototypes(),
    dropout: bool = True,
    estimator: EstimatorName = "auto",
) -> GradientBased:
    """Return gradient descent on the weights that `targets` match, behind learnt warps, with the exact gradient.

    Without targets, these are the queries and values of the attention, by the names that the backbone has for them.
    """
    rule = Sgd(lr=lr, head_lr=head_rate(head, lr, head_lr))
    scope = Warp(None if targets is None else tuple(targets))
    return GradientBased(scope, head, rule, steps=steps, estimator=ESTIMATORS[estimator](), dropout=dropout)
