"""Tensors of which each rank holds a part: the DTensors that FSDP2 makes of a divided body's parameters.

Every rank must call what gathers a whole one, or gives out the parts of one.
"""

from typing import TYPE_CHECKING, TypeGuard

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


def is_part(value: Tensor) -> "TypeGuard[DTensor]":
    """Return whether this rank holds a part of the tensor."""
    from torch.distributed.tensor import DTensor  # heavy; transformers has imported it wherever there is a body

    return isinstance(value, DTensor)


def own_of(value: Tensor) -> Tensor:
    """Return what this rank holds of a tensor, in the same memory; all of one that is not divided."""
    with torch.no_grad():
        return value.to_local() if is_part(value) else value


def whole(value: Tensor) -> Tensor:
    """Return a tensor gathered from its parts; one that is not divided as it is."""
    with torch.no_grad():
        return value.full_tensor() if is_part(value) else value


def part_like(given: Tensor, like: "DTensor") -> "DTensor":
    """Return this rank's part of a whole tensor, which all ranks have here, divided as `like` is."""
    from torch.distributed.tensor import distribute_tensor

    on_device = given.to(like.device)
    return distribute_tensor(on_device, like.device_mesh, like.placements, src_data_rank=None)
