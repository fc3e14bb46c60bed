"""Texts of one length at a time, for networks that padding would change; and texts shorter than a network takes.

Convolutions over tokens, Fourier transforms and pooling of neighbouring tokens reach into the padding, so that what a
text gives would depend on the longest text beside it.  Texts of the same length need no padding.  Where such a network
takes no text of one token (Funnel halves its texts), a short text is always widened in the same way.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Run = Callable[[Mapping[str, Tensor]], Tensor]  # inputs [B, T] -> hidden [B, T, D]


def by_length(run: Run, inputs: Mapping[str, Tensor]) -> Tensor:  # [B, T, D]
    """Return the states of tokens where the batch has them, zeros where it is padded.

    Texts with the same number of tokens are run as a batch of their own.  A text without tokens counts as one token.
    """
    mask = inputs["attention_mask"].bool()
    mask = mask | (_first_place(mask) & ~mask.any(1, keepdim=True))
    sizes = mask.sum(1)
    place = torch.arange(mask.numel(), device=mask.device).view(mask.shape)
    states: list[Tensor] = []
    places: list[Tensor] = []
    for size in sizes.unique().tolist():
        alike = mask & (sizes == size)[:, None]
        part = {name: value[alike].view(-1, size) for name, value in inputs.items()}
        states.append(run(part).flatten(0, 1))
        places.append(place[alike])
    order = torch.cat(places).argsort()
    tokens = torch.cat(states)[order]
    return tokens.new_zeros(*mask.shape, tokens.shape[-1]).masked_scatter(mask[..., None], tokens)


def widened(run: Run, inputs: Mapping[str, Tensor], least: int) -> Tensor:  # [B, T, D]
    """Return the states of tokens, of a batch that is run with `least` columns where it has fewer.

    The columns that are added repeat the last one, behind the mask, so that no token comes in from outside.
    """
    width = inputs["input_ids"].shape[1]
    if width >= least:
        return run(inputs)
    place = torch.arange(least, device=inputs["input_ids"].device).clamp(max=width - 1)
    wide = {name: value[:, place] for name, value in inputs.items()}
    wide["attention_mask"][:, width:] = 0
    return run(wide)[:, :width]


def _first_place(mask: Tensor) -> Tensor:
    return (torch.arange(mask.shape[1], device=mask.device) == 0).expand_as(mask)
