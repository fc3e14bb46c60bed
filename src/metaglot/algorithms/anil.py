"""ANIL: adapt only the head, W ← W − lr ∇L(W; support); the body is meta-learnt through the steps.

Raghu et al. 2020, https://arxiv.org/abs/1909.09157
"""

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.inner import Sgd, unrolled
from metaglot.models import Head, HeadOnly, Zeros


def anil(*, lr: float | None = None, steps: int = 5, head: Head = Zeros(), dropout: bool = True) -> GradientBased:
    """Return ANIL with the exact gradient."""
    return GradientBased(scope=HeadOnly(), head=head, rule=Sgd(lr=lr), steps=steps, estimator=unrolled, dropout=dropout)
