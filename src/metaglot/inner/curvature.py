"""Meta-Curvature: the gradient G [m, n] of a weight matrix is multiplied by learnt matrices, θ ← θ − lr·L G R.

L [m, m] and R [n, n] start as the identity, so the rule starts as gradient descent.  Vectors are multiplied
elementwise.  Embeddings have R alone (their rows are tokens), as has a side above `limit`; the head's weight [C, D]
has an R of D × D that all tasks share.  It learns m² + n² numbers for each matrix: for a scope of whole layers more
than the layers themselves have, for LoRA m² + n² + 2r² a pair.

Park and Oliva 2019, https://arxiv.org/abs/1902.03356
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from metaglot.errors import MetaglotError
from metaglot.inner.rule import body_of, clip_to_norm, first_rate
from metaglot.types import Params, RuleState

LEFT, RIGHT, SCALE = (f"algorithm.rule.curvature.{part}." for part in ("left", "right", "scale"))
EMBEDDINGS = ("embed", "wte", "wpe")  # parts of their names; a vocabulary by another name is above the limit
HEAD_WEIGHT, HEAD_BIAS = "head.weight", "head.bias"


@dataclass(frozen=True)
class Curvature:
    """Gradient descent on gradients multiplied by learnt matrices (`algorithm.rule.curvature.*`)."""

    lr: float = 1e-2
    head_lr: float | None = None  # lr if None
    limit: int = 2048  # sides longer than this have no matrix
    clip: float | None = None  # joint norm of the inner gradient

    def learnt(self, moving: Params, *, steps: int, seed: int) -> Params:
        """Return identities and ones."""
        del steps, seed
        found: dict[str, Tensor] = {}
        for name, value in body_of(moving).items():
            if value.ndim != 2:
                found[SCALE + name] = torch.ones_like(value)
                continue
            rows, width = value.shape
            if rows <= self.limit and not any(part in name for part in EMBEDDINGS):
                found[LEFT + name] = torch.eye(rows).to(value)
            if width <= self.limit:
                found[RIGHT + name] = torch.eye(width).to(value)
        width = moving[HEAD_WEIGHT].shape[1]
        return {**found, RIGHT + HEAD_WEIGHT: torch.eye(width), SCALE + HEAD_BIAS: torch.ones(())}

    def init(self, meta: Params, fast: Params) -> RuleState:
        """Return nothing: it has no state."""
        del meta, fast
        return {}

    def update(
        self, meta: Params, fast: Params, grads: Params, loss: Tensor, state: RuleState, step: int
    ) -> tuple[Params, RuleState]:
        """Return θ − lr·L G R; raise MetaglotError for a head of another width than the curvature was learnt for."""
        del loss, step
        grads = clip_to_norm(grads, self.clip) if self.clip is not None else grads
        ways = {name: _multiplied(meta, name, grads[name]) for name in fast}
        return {n: v - first_rate(n, self.lr, self.head_lr) * ways[n] for n, v in fast.items()}, state


def _multiplied(meta: Params, name: str, grad: Tensor) -> Tensor:
    left, right, scale = (meta.get(part + name) for part in (LEFT, RIGHT, SCALE))
    if right is not None and len(right) != grad.shape[-1]:
        raise MetaglotError(
            f"the curvature of {name} was learnt for a width of {len(right)}, the task needs {grad.shape[-1]}; "
            "use the rule meta-sgd for heads of another width than the backbone"
        )
    grad = grad if left is None else left.to(grad) @ grad
    grad = grad if right is None else grad @ right.to(grad)
    return grad if scale is None else scale * grad
