"""Meta-SGD: a learnt rate for every parameter, θ ← θ − lr·α ∘ g.

α starts at 1 everywhere and may change its sign: it is a learnt direction as much as a learnt rate.  It takes as much
memory as what moves.  The head has one for each of its tensors, since its classes differ by task.

Li et al. 2017, https://arxiv.org/abs/1707.09835
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from metaglot.inner.rates import rates_of
from metaglot.inner.rule import RATE, body_of, clip_to_norm, head_rates, learnt_rate
from metaglot.types import Params, RuleState


@dataclass(frozen=True)
class MetaSgd:
    """Gradient descent with `algorithm.rule.rate.<parameter>`, of the parameter's shape."""

    lr: float | None = 1e-2  # what α is a multiple of; Polyak's at each step if None (`inner/rates.py`)
    head_lr: float | None = None  # lr if None
    clip: float | None = None  # joint norm of the inner gradient

    def learnt(self, moving: Params, *, steps: int, seed: int) -> Params:
        """Return the rates at their start."""
        del steps, seed
        return {RATE + name: torch.ones_like(value) for name, value in body_of(moving).items()} | head_rates()

    def init(self, meta: Params, fast: Params) -> RuleState:
        """Return nothing: it has no state."""
        del meta, fast
        return {}

    def update(
        self, meta: Params, fast: Params, grads: Params, loss: Tensor, state: RuleState, step: int
    ) -> tuple[Params, RuleState]:
        """Return θ − lr·α ∘ g."""
        del step
        grads = clip_to_norm(grads, self.clip) if self.clip is not None else grads
        rates = rates_of(self.lr, self.head_lr, grads, loss)
        ways = {name: learnt_rate(meta, name) * grads[name] for name in fast}
        return {name: value - rates.of(name) * ways[name] for name, value in fast.items()}, state
