"""A state of which ranks hold parts: gathered for a checkpoint, given out after one was read, its gradient's norm."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_, clip_grads_with_norm_, get_total_norm

from metaglot.models.parts import is_part, own_of, part_like, whole
from metaglot.training.ranks import Ranks, state_of_first
from metaglot.training.state import State
from metaglot.types import Params


def whole_state(state: State, ranks: Ranks) -> State:
    """Return the state with all of its tensors whole on rank 0, on the CPU; other ranks get what is not divided.

    A tensor at a time is gathered, and dropped again where it is not kept.
    """
    if not any(is_part(value) for value in state.params.values()):
        return state
    return replace(state, params=_gathered(state.params, ranks), moments=_gathered(state.moments, ranks))


def spread_state(state: State, ranks: Ranks, device: torch.device, parts: Params) -> State:
    """Return the state of rank 0, which alone reads checkpoints; each rank has its part of what is divided.

    `parts` are the divided parameters, which take the values in place; of another rank's state nothing else is read.
    """
    if not parts:
        return state_of_first(state, ranks, device)
    divided = {name: value for name, value in state.params.items() if name in parts}
    fresh = ranks.of_first(all(is_part(value) for value in divided.values()))
    plain = replace(
        state,
        params={name: value for name, value in state.params.items() if name not in parts},
        moments={name: value for name, value in state.moments.items() if _owner(name, value) not in parts},
    )
    names = list(state.params)
    got = state_of_first(plain, ranks, device)
    moments = dict(got.moments)
    if not fresh:
        for name, part in parts.items():
            own_of(part).copy_(own_of(_given(divided[name], part, ranks)))
        for key in ranks.of_first([key for key, value in state.moments.items() if _owner(key, value) in parts]):
            part = parts[key.split(".", 1)[1]]
            moments[key] = _given(state.moments.get(key, part), part, ranks)
    return replace(got, params={name: parts.get(name, got.params.get(name)) for name in names}, moments=moments)


def clipped(params: Sequence[Tensor], limit: float, ranks: Ranks) -> Tensor:
    """Shorten the gradients of the parameters to a joint norm of `limit`, in place, and return the norm before.

    The norm of what is divided is that of all parts.
    """
    divided = [value for value in params if is_part(value)]
    if not divided:
        return clip_grad_norm_(list(params), limit)
    plain = [value for value in params if not is_part(value)]
    parts = [own_of(value.grad) for value in divided if value.grad is not None]
    square = get_total_norm(parts) ** 2
    ranks.sum_(square)
    norm = (square + get_total_norm([value.grad for value in plain if value.grad is not None]) ** 2).sqrt()
    clip_grads_with_norm_(plain, limit, norm)
    scale = (limit / (norm + 1e-6)).clamp(max=1.0)  # as torch has it
    for part in parts:
        part.mul_(scale)
    return norm


def _gathered(tensors: Params, ranks: Ranks) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, value in tensors.items():
        gathered = whole(value)
        if ranks.first or not is_part(value):
            found[name] = gathered.detach().cpu() if is_part(value) else value
    return found


def _given(value: Tensor, part: Tensor, ranks: Ranks) -> Tensor:
    """Return this rank's part of the value of rank 0."""
    assert is_part(part)
    buffer = value.detach().to(part.device).clone() if ranks.first else torch.empty(part.shape, dtype=part.dtype)
    buffer = buffer.to(part.device).contiguous()
    ranks.spread_(buffer)
    return part_like(buffer, part)


def _owner(moment: str, value: Tensor) -> str:
    """Return the parameter that a moment is as large as; nothing for a count of steps."""
    return moment.split(".", 1)[1] if value.ndim else ""
