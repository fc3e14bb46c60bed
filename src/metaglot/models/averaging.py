"""A trained model averaged with the one it started from, weight by weight: θ = share·θ_base + (1 − share)·θ_trained.

What training on some tasks takes from others comes back, and most of what it gave stays.
Wortsman et al. 2022, https://arxiv.org/abs/2109.01903
"""

import torch
from torch import Tensor

from metaglot.models.lora import LEARNT
from metaglot.models.warp import PREFIX as WARP
from metaglot.types import Params

UNREAD = ".pooler."  # nothing reads it, and of many checkpoints it is random at every loading


def averaged(base: Params, trained: Params, share: float) -> Params:
    """Return the trained parameters, those that the base has too averaged with them; `share` is that of the base.

    A LoRA start is averaged with none, and a warp with the identity, which is what the base has of them.
    """
    return {n: _averaged(base, n, value, share) for n, value in trained.items()} if share else trained


def _averaged(base: Params, name: str, value: Tensor, share: float) -> Tensor:
    if name in base:
        return value if UNREAD in name else value.lerp(base[name], share)
    if name.startswith(LEARNT) and name.endswith(".b"):  # a product shrinks as one of its factors does
        return (1 - share) * value
    return value.lerp(torch.eye(len(value)).to(value), share) if name.startswith(WARP) else value
