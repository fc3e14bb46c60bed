"""Meta-Curvature: the gradient G [m, n] of a weight matrix is multiplied by learnt matrices, θ ← θ − lr·L G R.

L = I + Λ/√m and R = I + P/√n: Λ and P are learnt and start from zeros, so the rule starts as gradient descent.  (The
roots let an outer Adam, which moves all m² entries at once, move a wide matrix no more than a small one.)  Vectors
are multiplied elementwise.  Embeddings have R alone (their rows are tokens), as has a side above `limit`; the head's
weight [C, D] has an R of D × D that all tasks share, and a head of another form moves by its gradient.  It learns
m² + n² numbers for each matrix: for a scope of whole layers more than these have, for LoRA m² + n² + 2r² a pair.

Park and Oliva 2019, https://arxiv.org/abs/1902.03356
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from metaglot.errors import MetaglotError
from metaglot.inner.rates import rates_of
from metaglot.inner.rule import body_of, clip_to_norm
from metaglot.types import Params, RuleState

LEFT, RIGHT, SCALE = (f"algorithm.rule.curvature.{part}." for part in ("left", "right", "scale"))
EMBEDDINGS = ("embed", "wte", "wpe")  # parts of their names; a vocabulary by another name is above the limit
HEAD_WEIGHT, HEAD_BIAS = "head.weight", "head.bias"


@dataclass(frozen=True)
class Curvature:
    """Gradient descent on gradients multiplied by learnt matrices (`algorithm.rule.curvature.*`)."""

    lr: float | None = 1e-2  # Polyak's at each step if None (`inner/rates.py`)
    head_lr: float | None = None  # lr if None
    limit: int = 2048  # sides longer than this have no matrix
    clip: float | None = None  # joint norm of the inner gradient

    def learnt(self, moving: Params, *, steps: int, seed: int) -> Params:
        """Return zeros for matrices and ones for vectors."""
        del steps, seed
        factors: dict[str, Tensor] = {}
        for name, value in body_of(moving).items():
            if value.ndim != 2:
                factors[SCALE + name] = torch.ones_like(value)
                continue
            rows, width = value.shape
            if rows <= self.limit and not any(part in name for part in EMBEDDINGS):
                factors[LEFT + name] = value.new_zeros(rows, rows)
            if width <= self.limit:
                factors[RIGHT + name] = value.new_zeros(width, width)
        width = moving[HEAD_WEIGHT].shape[1]
        return {**factors, RIGHT + HEAD_WEIGHT: torch.zeros(width, width), SCALE + HEAD_BIAS: torch.ones(())}

    def init(self, meta: Params, fast: Params) -> RuleState:
        """Return nothing: it has no state."""
        del meta, fast
        return {}

    def update(
        self, meta: Params, fast: Params, grads: Params, loss: Tensor, state: RuleState, step: int
    ) -> tuple[Params, RuleState]:
        """Return θ − lr·L G R; raise MetaglotError for a head of another width than the curvature was learnt for."""
        del step
        grads = clip_to_norm(grads, self.clip) if self.clip is not None else grads
        rates = rates_of(self.lr, self.head_lr, grads, loss)
        ways = {name: _multiplied(meta, name, grads[name]) for name in fast}
        return {name: value - rates.of(name) * ways[name] for name, value in fast.items()}, state


def _multiplied(meta: Params, name: str, grad: Tensor) -> Tensor:
    left, right, scale = (meta.get(part + name) for part in (LEFT, RIGHT, SCALE))
    if right is not None and len(right) != grad.shape[-1]:
        raise MetaglotError(
            f"the curvature of {name} was learnt for a width of {len(right)}, the task needs {grad.shape[-1]}; "
            "use the rule meta-sgd for heads of another width than the backbone"
        )
    grad = grad if left is None else grad + left.to(grad) @ grad / math.sqrt(len(left))
    grad = grad if right is None else grad + grad @ right.to(grad) / math.sqrt(len(right))
    return grad if scale is None else scale * grad
