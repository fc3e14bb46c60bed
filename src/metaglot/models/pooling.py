"""Hidden states of tokens become one vector of a text.

With h_1 … h_n the states of the tokens of a text, padding left out: cls h_1; last h_n; mean Σ h_i / n;
mean_sqrt_len Σ h_i / √n; weightedmean Σ i·h_i / Σ i; max the largest in each dimension.  Several, joined by "+" in
their name, stand side by side.  The definitions are those of sentence-transformers (Reimers and Gurevych 2019,
https://arxiv.org/abs/1908.10084; weightedmean: Muennighoff 2022, https://arxiv.org/abs/2202.08904).
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Pool = Callable[[Tensor, Tensor], Tensor]  # hidden [B, T, D], mask [B, T] -> [B, D]


def pool(hidden: Tensor, mask: Tensor, name: str) -> Tensor:
    """Return the pooled vectors [B, D·k] of hidden states [B, T, D] by the k poolings that `name` joins with "+"."""
    return torch.cat([POOLS[one](hidden, mask) for one in name.split("+")], dim=-1)


def width_of(name: str) -> int:
    """Return how many vectors a pooling puts side by side."""
    return len(name.split("+"))


def _first(hidden: Tensor, mask: Tensor) -> Tensor:
    return _at(hidden, mask.int().argmax(dim=1))


def _last(hidden: Tensor, mask: Tensor) -> Tensor:
    place = torch.arange(mask.shape[1], device=mask.device)
    return _at(hidden, (mask * place).argmax(dim=1))


def _mean(hidden: Tensor, mask: Tensor) -> Tensor:
    weight = mask[..., None].to(hidden.dtype)
    return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1)


def _mean_sqrt_len(hidden: Tensor, mask: Tensor) -> Tensor:
    weight = mask[..., None].to(hidden.dtype)
    return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1).sqrt()


def _weighted_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    weight = (mask.cumsum(1) * mask)[..., None].to(hidden.dtype)
    return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1)


def _max(hidden: Tensor, mask: Tensor) -> Tensor:
    least = torch.finfo(hidden.dtype).min
    return hidden.masked_fill(mask[..., None] == 0, least).amax(dim=1)


def _at(hidden: Tensor, place: Tensor) -> Tensor:
    return hidden[torch.arange(hidden.shape[0], device=hidden.device), place]


POOLS: Mapping[str, Pool] = {
    "cls": _first,
    "last": _last,
    "mean": _mean,
    "mean_sqrt_len": _mean_sqrt_len,
    "weightedmean": _weighted_mean,
    "max": _max,
}
