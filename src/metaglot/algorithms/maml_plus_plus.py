"""MAML++: MAML made stable.

    φ_{t+1,l} = φ_{t,l} − lr·α_{l,t} ∇_l L(φ_t; support),  min over θ and α of Σ_t w_t L(φ_t; query)

A learnt rate α for each layer l and step t; a query loss after every step, whose weights w go from 1/T each to the
last step alone within `annealed` episodes; and first-order gradients for the first `warm_up` episodes, which teach the
rates all the same.  The paper has them for the first half of training; an algorithm does not know here how long a run
is, so that `warm_up` counts episodes.  Batch normalisation per step has no counterpart in layer-normed Transformers.

Antoniou et al. 2019, https://arxiv.org/abs/1810.09502
"""

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.algorithms.rates import head_rate
from metaglot.choices import ESTIMATORS
from metaglot.inner import EstimatorName, LayerRates
from metaglot.models import All, Head, Prototypes, Scope


def maml_plus_plus(
    *,
    lr: float | None = None,
    head_lr: float | None = None,
    steps: int = 3,
    annealed: int = 1000,
    warm_up: int = 1000,
    head: Head = Prototypes(),
    scope: Scope = All(),
    dropout: bool = True,
    estimator: EstimatorName = "auto",
) -> GradientBased:
    """Return MAML++ with the exact gradient; rates start at `lr`."""
    return GradientBased(
        scope=scope,
        head=head,
        rule=LayerRates(lr=lr, head_lr=head_rate(head, lr, head_lr), per_step=True),
        steps=steps,
        estimator=ESTIMATORS[estimator](),
        dropout=dropout,
        weights=(1 / steps,) * steps if steps > 0 else None,
        annealed=annealed,
        warm_up=warm_up,
    )
