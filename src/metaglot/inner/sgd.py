"""Gradient descent: θ ← θ − lr·g, the inner loop of MAML.

Finn et al. 2017, https://arxiv.org/abs/1703.03400.  A head may have a rate of its own, since it starts from the
support set (or from nothing) while the body starts from what was meta-learnt.
"""

from dataclasses import dataclass

from torch import Tensor

from metaglot.inner.rates import rates_of
from metaglot.inner.rule import clip_to_norm
from metaglot.types import Params, RuleState


@dataclass(frozen=True)
class Sgd:
    """Gradient descent with a rate for the body and, where given, another for the head."""

    lr: float | None = 1e-2  # Polyak's at each step if None (`inner/rates.py`)
    head_lr: float | None = None  # as the body's if None
    clip: float | None = None  # joint norm of the inner gradient

    def learnt(self, moving: Params, *, steps: int, seed: int) -> Params:
        """Return nothing: its rates are fixed."""
        del moving, steps, seed
        return {}

    def init(self, meta: Params, fast: Params) -> RuleState:
        """Return nothing: it has no state."""
        del meta, fast
        return {}

    def update(
        self, meta: Params, fast: Params, grads: Params, loss: Tensor, state: RuleState, step: int
    ) -> tuple[Params, RuleState]:
        """Return θ − lr·g."""
        del meta, step
        grads = clip_to_norm(grads, self.clip) if self.clip is not None else grads
        rates = rates_of(self.lr, self.head_lr, grads, loss)
        return {name: value - rates.of(name) * grads[name] for name, value in fast.items()}, state
