"""LEO: gradient steps on low-dimensional class codes, which a learnt decoder turns into the head.

    z_c = E μ_c/‖μ_c‖,   z ← z − lr ∇_z L(s·D z; support),   E, D, s and the body learnt

Rusu et al. 2019, https://arxiv.org/abs/1807.05960; what is left out stands in `models/heads/latent.py`.
"""

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.inner import Sgd, unrolled
from metaglot.models import HeadOnly, Latent


def leo(
    *, lr: float | None = None, steps: int = 5, size: int = 64, scale: float = 10.0, dropout: bool = True
) -> GradientBased:
    """Return LEO with codes of `size` numbers and the exact gradient."""
    head = Latent(size=size, scale=scale)
    return GradientBased(HeadOnly(), head, Sgd(lr=lr), steps=steps, estimator=unrolled, dropout=dropout)
