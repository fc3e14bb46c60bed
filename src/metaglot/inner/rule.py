"""The interface of update rules; each rule is a file of its own beside this one."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from metaglot.types import Params, RuleState

HEAD = ("head.weight", "head.bias")
LEARNT = "algorithm.rule."
"""What a rule learns stands under this name."""

RATE = LEARNT + "rate."
"""Learnt rates stand under this name, as multiples of the rule's own `lr` or `head_lr`.

They start at 1: an outer Adam moves every parameter by about its own rate, whatever the size, and rates differ by
orders of magnitude.
"""


class Rule(Protocol):
    """How the inner loop moves: a pure function with a state of its own, differentiable in all it is given."""

    def learnt(self, moving: Params, *, steps: int, seed: int) -> Params:
        """Return the meta-parameters that the rule itself learns (names `algorithm.rule.*`), at their start.

        `moving` holds what the scope moves, and the head as a layer without classes (`head.weight` [0, D]), since
        their number depends on the task; `steps` is the length of the inner loop in meta-training (an adaptation
        may be longer).
        """
        ...

    def init(self, meta: Params, fast: Params) -> RuleState:
        """Return the state before the first step; differentiable in `meta` and `fast`."""
        ...

    def update(
        self, meta: Params, fast: Params, grads: Params, loss: Tensor, state: RuleState, step: int
    ) -> tuple[Params, RuleState]:
        """Return the parameters after the step, and the state.

        Where gradients are not recorded (`torch.no_grad`), `fast`, `state` and `grads` are the loop's own and may be
        updated in place.
        """
        ...


def clip_to_norm(grads: Params, limit: float) -> dict[str, Tensor]:
    """Return the gradients scaled down to a joint norm of at most `limit`."""
    if not grads:
        return {}
    factor = clip_factor(list(grads.values()), limit)
    return {name: g * factor for name, g in grads.items()}


def clip_factor(grads: Sequence[Tensor], limit: float) -> Tensor:
    """Return what scales gradients down to a joint norm of at most `limit`; 1 where it is no more."""
    square = torch.stack([g.reshape(-1).dot(g.reshape(-1)) for g in grads]).sum()
    # Clamped before the root, whose derivative at 0 is infinite.
    return (limit / square.clamp(min=1e-24).sqrt()).clamp(max=1.0)


def body_of(moving: Params) -> dict[str, Tensor]:
    """Return what moves besides the head."""
    return {name: value for name, value in moving.items() if not name.startswith("head.")}


def rate_of(name: str, lr: float, head_lr: float | None) -> float:
    """Return the rate of a parameter: `head_lr`, where given, for the head."""
    return head_lr if head_lr is not None and name.split(".")[0] == "head" else lr


def learnt_rate(meta: Params, name: str) -> Tensor:
    """Return the learnt rate of a parameter; what a head of another form moves has the rate of `head.weight`."""
    of_head = name.startswith("head.") and name not in HEAD
    return meta[RATE + (HEAD[0] if of_head else name)]


def head_rates() -> dict[str, Tensor]:
    """Return a learnt rate for each tensor of the head, one number each, since its classes differ by task."""
    return {RATE + name: torch.ones(()) for name in HEAD}
