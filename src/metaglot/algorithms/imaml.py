"""iMAML: MAML whose inner problem is solved rather than stepped through, so that its gradient needs no path.

    φ* = argmin L(φ; support) + λ/2·‖φ − θ‖²,  dL_q(φ*)/dθ = (I + H/λ)⁻¹ ∂L_q/∂φ,  H = ∂²L(φ*; support)/∂φ²

by conjugate gradients on Hessian-vector products: memory does not depend on the inner steps, and neither does the
gradient once they have converged, however they went; the paper leaves the solver open, and here it is Nesterov's.

The formula holds at a solution alone.  By default the head moves: its inner problem is convex, and 50 steps solve it,
since the features of the support set are computed once.  The whole body of a Transformer is not solved in any number of
steps that one would wait for: with `scope=all` and the paper's settings (λ from 0.5 to 2, 10 to 20 steps of gradient
descent) the gradient of the inner problem is still two thirds of what it was at the start, and training warns of it.

Rajeswaran et al. 2019, https://arxiv.org/abs/1909.04630
"""

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.inner import Implicit, Momentum
from metaglot.models import Head, HeadOnly, Scope, Zeros


def imaml(
    *,
    lr: float | None = None,
    momentum: float | None = None,
    steps: int = 50,
    head: Head = Zeros(),
    scope: Scope = HeadOnly(),
    proximal: float = 0.03,
    iterations: int = 10,
    dropout: bool = True,
) -> GradientBased:
    """Return iMAML; `proximal` is λ, `iterations` those of conjugate gradients.

    Where only the head moves, `lr` is 0.9 by default, below 1 / (1 + λ), since the loss of a linear head over features
    of length one curves by 1 at most, and `momentum` is 0.7.  Elsewhere they are 0.1 and 0.
    """
    alone = isinstance(scope, HeadOnly)
    lr = (0.9 if alone else 0.1) if lr is None else lr
    momentum = (0.7 if alone else 0.0) if momentum is None else momentum
    return GradientBased(
        scope=scope,
        head=head,
        rule=Momentum(lr=lr, momentum=momentum, nesterov=True),
        steps=steps,
        estimator=Implicit(iterations=iterations),
        dropout=dropout,
        proximal=proximal,
    )
