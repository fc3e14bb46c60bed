"""iMAML: MAML whose inner problem is solved rather than stepped through, so that its gradient needs no path.

    φ* = argmin L(φ; support) + λ/2·‖φ − θ‖²,  dL_q(φ*)/dθ = (I + H/λ)⁻¹ ∂L_q/∂φ,  H = ∂²L(φ*; support)/∂φ²

by conjugate gradients on Hessian-vector products: memory does not depend on the inner steps, and neither does the
gradient once they have converged.  A small λ lets the task move far and makes the inner problem slow to solve.

Rajeswaran et al. 2019, https://arxiv.org/abs/1909.04630
"""

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.inner import Implicit, Sgd
from metaglot.models import All, Head, Scope, Zeros


def imaml(
    *,
    lr: float = 1e-2,
    steps: int = 10,
    head: Head = Zeros(),
    scope: Scope = All(),
    proximal: float = 1.0,
    iterations: int = 5,
    dropout: bool = True,
) -> GradientBased:
    """Return iMAML; `proximal` is λ, `iterations` those of conjugate gradients."""
    return GradientBased(
        scope=scope,
        head=head,
        rule=Sgd(lr=lr),
        steps=steps,
        estimator=Implicit(iterations=iterations),
        dropout=dropout,
        proximal=proximal,
    )
