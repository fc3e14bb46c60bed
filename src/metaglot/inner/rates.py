"""How far a step of gradient descent goes: a rate that is given, or Polyak's, which is found at each step.

    η = share · ℓ / ‖g‖²,   for the body and for the head apart

A step along −g at this rate lowers the linear model of the loss ℓ ≥ 0 by that share of it.  The rate has no unit: it
follows the scale of the features, the size of the head, the number of classes and the way a backbone was initialised,
which a fixed number cannot.  With a share of 1 on a convex loss whose minimum is 0, as that of a head that can tell its
examples apart, no step takes the head further from a solution.  The body has a smaller share: its loss is not convex.

Polyak 1987, "Introduction to Optimization", section 5.3; on minibatches: Loizou et al. 2021,
https://arxiv.org/abs/2002.10542.  The rate is differentiated with the rest: an exact estimator stays exact.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from metaglot.types import Params

BODY_SHARE, LORA_SHARE, HEAD_SHARE = 0.3, 0.1, 1.0
"""Measured on three backbones (docs/tuning.md).  LoRA has less, since a few directions carry the whole step."""

NOTHING = 1e-20  # a squared norm at or below it is no gradient


class Rates(NamedTuple):
    """The rates of one step."""

    body: float | Tensor
    head: float | Tensor

    def of(self, name: str) -> float | Tensor:
        """Return the rate of a parameter."""
        return self.head if name.split(".")[0] == "head" else self.body


def rates_of(lr: float | None, head_lr: float | None, grads: Params, loss: Tensor) -> Rates:
    """Return the rates that are given; Polyak's for the body where `lr` is None, and for the head where both are.

    A head without a rate of its own has that of the body, where this one is given.
    """
    if lr is not None:
        return Rates(lr, lr if head_lr is None else head_lr)
    of_head = [grad for name, grad in grads.items() if name.split(".")[0] == "head"]
    of_body = {name: grad for name, grad in grads.items() if name.split(".")[0] != "head"}
    share = LORA_SHARE if all(name.startswith("lora.") for name in of_body) else BODY_SHARE
    head = polyak(of_head, loss, HEAD_SHARE) if head_lr is None else head_lr
    return Rates(polyak(list(of_body.values()), loss, share), head)


def polyak(grads: list[Tensor], loss: Tensor, share: float) -> float | Tensor:
    """Return share · ℓ / ‖g‖², and 0 where there is no gradient."""
    if not grads:
        return 0.0
    square = torch.stack([grad.float().square().sum() for grad in grads]).sum()
    nonzero = square > NOTHING
    return torch.where(nonzero, share * loss / square.masked_fill(~nonzero, 1.0), torch.zeros_like(square))
