"""Gradient descent with momentum: v ← μv + g, θ ← θ − lr·v (heavy ball) or θ − lr·(g + μv) (Nesterov).

Polyak 1964, https://doi.org/10.1016/0041-5553(64)90137-5; in the second form: Sutskever et al. 2013,
https://proceedings.mlr.press/v28/sutskever13.html
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from metaglot.inner.rule import clip_to_norm, rate_of
from metaglot.types import Params, RuleState


@dataclass(frozen=True)
class Momentum:
    """Gradient descent that remembers its direction; the state holds `v.<name>`."""

    lr: float = 1e-2
    head_lr: float | None = None  # lr if None
    momentum: float = 0.9
    nesterov: bool = False
    clip: float | None = None  # joint norm of the inner gradient

    def learnt(self, moving: Params, *, steps: int, seed: int) -> Params:
        """Return nothing: its rates are fixed."""
        del moving, steps, seed
        return {}

    def init(self, meta: Params, fast: Params) -> RuleState:
        """Return zero velocities."""
        del meta
        return {f"v.{name}": torch.zeros_like(value) for name, value in fast.items()}

    def update(
        self, meta: Params, fast: Params, grads: Params, loss: Tensor, state: RuleState, step: int
    ) -> tuple[Params, RuleState]:
        """Return the parameters a step along the velocity, and the velocities."""
        del meta, loss, step
        grads = clip_to_norm(grads, self.clip) if self.clip is not None else grads
        velocity = {name: self.momentum * state[f"v.{name}"] + grads[name] for name in fast}
        way = {n: grads[n] + self.momentum * v for n, v in velocity.items()} if self.nesterov else velocity
        moved = {n: value - rate_of(n, self.lr, self.head_lr) * way[n] for n, value in fast.items()}
        return moved, {f"v.{name}": value for name, value in velocity.items()}
