"""What a meta-learner learnt beside the body's weights, put into these weights: LoRA starts and warps.

    W in use = T (W + s·B A)

A learner that meets `algorithm.lora.*` and `algorithm.warp.*` computes this itself (`lora.py` and `warp.py`).
Where nothing but weights can be kept, as in the base of another run, they are what these functions give.
"""

import torch
from torch import Tensor, nn

from metaglot.errors import MetaglotError
from metaglot.models.lora import LEARNT, apply_lora
from metaglot.models.warp import PREFIX as WARP
from metaglot.models.warp import apply_warp
from metaglot.types import Params

BODY = "body."
BESIDE = (LEARNT, WARP)
"""How the names begin of what acts in the weights of the body."""


def in_weights(params: Params, module: nn.Module) -> dict[str, Tensor]:
    """Return the weights in use, `body.*`: those of `params`, with their LoRA starts added and their warps multiplied.

    Weights that stand in the module alone are among them where LoRA or a warp changes them.
    """
    beside = {name: value for name, value in params.items() if name.startswith(BESIDE)}
    frozen = _frozen(module)
    used = apply_warp(apply_lora(_body(params), beside, frozen), beside, frozen, module)
    return {BODY + name: value for name, value in used.items()}


def out_of_weights(used: Params, beside: Params, module: nn.Module) -> dict[str, Tensor]:
    """Return the weights that become `used` with the LoRA starts and warps of `beside`: the inverse of `in_weights`.

    Raises MetaglotError for a warp that has no inverse.
    """
    back = {name: _inverse(name, value) for name, value in beside.items() if name.startswith(WARP)}
    pairs = {name: value for name, value in beside.items() if name.startswith(LEARNT)}
    less = {name: -value if name.endswith(".b") else value for name, value in pairs.items()}
    frozen = _frozen(module)
    remainder = apply_lora(apply_warp(_body(used), back, frozen, module), less, frozen)
    return {BODY + name: value for name, value in remainder.items()}


def _body(params: Params) -> dict[str, Tensor]:
    return {name.removeprefix(BODY): value for name, value in params.items() if name.startswith(BODY)}


def _frozen(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in module.named_parameters()}


def _inverse(name: str, warp: Tensor) -> Tensor:
    try:
        return torch.linalg.inv(warp.float()).to(warp)
    except RuntimeError as error:
        raise MetaglotError(f"the mean of {name} has no inverse, so that these runs cannot be averaged") from error
