"""A learnt rate for each layer, or for each layer and step: θ_l ← θ_l − lr·α_{l,t} g_l.

The second is LSLR of MAML++: Antoniou et al. 2019, https://arxiv.org/abs/1810.09502.  A layer is all that shares a
name up to its first number (`encoder.layer.3`), or the first word where there is none (`embeddings`); LoRA pairs
belong to the layer of their weight, and the head is a layer.  α starts at 1.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from metaglot.inner.rates import rates_of
from metaglot.inner.rule import RATE, body_of, clip_to_norm
from metaglot.types import Params, RuleState

HEAD_LAYER = "head"


@dataclass(frozen=True)
class LayerRates:
    """Gradient descent with `algorithm.rule.rate.<layer>`, of shape [] or [steps]; later steps use the last."""

    lr: float | None = 1e-2  # what α is a multiple of; Polyak's at each step if None (`inner/rates.py`)
    head_lr: float | None = None  # lr if None
    per_step: bool = False
    clip: float | None = None  # joint norm of the inner gradient

    def learnt(self, moving: Params, *, steps: int, seed: int) -> Params:
        """Return the rates at their start."""
        del seed
        shape = (max(1, steps),) if self.per_step else ()
        layers = dict.fromkeys([*map(layer_of, body_of(moving)), HEAD_LAYER])
        return {RATE + layer: torch.ones(shape) for layer in layers}

    def init(self, meta: Params, fast: Params) -> RuleState:
        """Return nothing: it has no state."""
        del meta, fast
        return {}

    def update(
        self, meta: Params, fast: Params, grads: Params, loss: Tensor, state: RuleState, step: int
    ) -> tuple[Params, RuleState]:
        """Return θ_l − lr·α_{l,t} g_l for every layer l."""
        grads = clip_to_norm(grads, self.clip) if self.clip is not None else grads
        own = rates_of(self.lr, self.head_lr, grads, loss)
        layers = dict.fromkeys(map(layer_of, fast))
        rates = {layer: own.of(layer) * _at(meta[RATE + layer], step) for layer in layers}
        return {name: value - rates[layer_of(name)] * grads[name] for name, value in fast.items()}, state


def layer_of(name: str) -> str:
    """Return the layer that a parameter belongs to."""
    if name.startswith("head."):
        return HEAD_LAYER
    parts = name.split(".")[1:] or [name]  # without body or lora
    for at, part in enumerate(parts):
        if part.isdigit():
            return ".".join(parts[: at + 1])
    return parts[0]


def _at(rate: Tensor, step: int) -> Tensor:
    return rate[min(step, len(rate) - 1)] if rate.ndim else rate
