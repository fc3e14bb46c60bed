"""What training changed, in few bytes: each matrix as its base plus a product of thin ones, in bfloat16.

    W ≈ W_base + B A,   B A the truncated singular value decomposition of W − W_base

The bytes go to the singular values that bring most, σ² / (m + n), over all matrices together: up to the last rank, no
other choice keeps more of Σ‖W − W_base‖² in as many bytes.  Vectors are differences, whole.  What the base has none of
(learnt scales, rates) stays as it is.
Low-rank changes are enough for fine-tuning: Hu et al. 2021,
https://arxiv.org/abs/2106.09685; after the fact: Ping et al. 2024, https://arxiv.org/abs/2406.08903.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from metaglot.errors import MetaglotError
from metaglot.models.averaging import UNREAD
from metaglot.types import Params

LOW, DIFFERENCE = "low.", "difference."
STORED = torch.bfloat16
HEADER = 160  # bytes that the name, shape and place of a tensor take in a safetensors file, about


class Shrunk(NamedTuple):
    """A difference in few bytes."""

    tensors: dict[str, Tensor]
    kept: float  # share of Σ‖W − W_base‖², over the matrices


class _Parts(NamedTuple):
    """The singular value decomposition of a matrix's difference."""

    u: Tensor  # [m, r]
    values: Tensor  # [r]
    v: Tensor  # [r, n]

    @property
    def bytes(self) -> int:
        """What one more rank takes."""
        return (self.u.shape[0] + self.v.shape[1]) * STORED.itemsize


def shrunk(base: Params, trained: Params, size: int) -> Shrunk:
    """Return the trained parameters as differences from their base, in at most `size` bytes.

    Persistent heads of data sets are left out, and what nothing reads.  Raises MetaglotError where even what cannot be
    made smaller takes more.
    """
    tensors: dict[str, Tensor] = {}
    parts: dict[str, _Parts] = {}
    for name, value in sorted(trained.items()):
        if name.startswith("heads.") or UNREAD in name:
            continue
        if name not in base:
            tensors[name] = value.detach().cpu().clone()
        elif not torch.equal(value, base[name]):
            change = value.detach().cpu().float() - base[name].detach().cpu().float()
            if change.ndim == 2:
                parts[name] = _Parts(*torch.linalg.svd(change, full_matrices=False))
            else:
                tensors[DIFFERENCE + name] = change.to(STORED)
    room = size - sum(value.nbytes + HEADER for value in tensors.values())
    if room < 0:
        raise MetaglotError(
            f"{size:,} bytes are too few: what cannot be made smaller takes {size - room:,}; allow more"
        )
    ranks = _ranks(parts, room)
    for name, rank in ranks.items():
        u, values, v = parts[name]
        root = values[:rank].sqrt()
        tensors[f"{LOW}{name}.b"] = (u[:, :rank] * root).to(STORED).contiguous()
        tensors[f"{LOW}{name}.a"] = (root[:, None] * v[:rank]).to(STORED).contiguous()
    whole = sum(float(one.values.square().sum()) for one in parts.values())
    kept = sum(float(parts[name].values[:rank].square().sum()) for name, rank in ranks.items())
    return Shrunk(tensors, kept / whole if whole else 1.0)


def restored(base: Params, tensors: Params) -> dict[str, Tensor]:
    """Return parameters from their differences, in the base's precision and place; others pass as they are.

    Raises MetaglotError for the difference of a parameter that the base has not, or has in another shape.
    """
    params: dict[str, Tensor] = {}
    for key, value in tensors.items():
        if key.startswith(DIFFERENCE):
            name = key.removeprefix(DIFFERENCE)
            params[name] = _on(base, name, value.float())
        elif key.startswith(LOW) and key.endswith(".b"):
            name = key.removeprefix(LOW).removesuffix(".b")
            other = tensors.get(f"{LOW}{name}.a")
            if other is None or other.ndim != 2 or value.ndim != 2 or other.shape[0] != value.shape[1]:
                raise MetaglotError(f"the low-rank difference of {name} is not whole")
            params[name] = _on(base, name, value.float() @ other.float())
        elif not key.startswith(LOW):
            params[key] = value
    return params


def _on(base: Params, name: str, change: Tensor) -> Tensor:
    if name not in base or base[name].shape != change.shape:
        raise MetaglotError(f"the base model has no {name} of the shape {list(change.shape)}; load the right one")
    return base[name].detach() + change.to(base[name])


def _ranks(parts: dict[str, _Parts], room: int) -> dict[str, int]:
    """Return the rank of each matrix, the best for the room; matrices without any are left out."""
    offers = [(float(v) ** 2 / one.bytes, name) for name, one in parts.items() for v in one.values]
    ranks: dict[str, int] = {}
    for gain, name in sorted(offers, key=lambda offer: -offer[0]):
        cost = parts[name].bytes + (0 if name in ranks else 2 * HEADER)
        if gain <= 0 or cost > room:
            break
        ranks[name] = ranks.get(name, 0) + 1
        room -= cost
    return ranks
