"""What all prompts of a batch begin with is read once: its keys and values stand before those of each prompt.

    [prefix | padding | rest of a prompt]     in place of     [padding | whole prompt]

Positions are counted without the padding, so that each token has the place that it has alone.  Used where keys and
values of a decoder are a plain cache, which grows and forgets nothing.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

LEAST = 16  # tokens; fewer are not worth a pass of their own

Inputs = Mapping[str, Tensor]  # input_ids and attention_mask [B, T]


@dataclass(frozen=True, eq=False)
class Prefix:
    """The first tokens of all prompts, with their keys and values."""

    tokens: Tensor  # [P]
    cache: DynamicCache  # of one row

    def inputs(self, inputs: Inputs) -> dict[str, Tensor]:
        """Return prompts with their padding behind the prefix."""
        count, size = len(inputs["input_ids"]), len(self.tokens)
        rest = padded(_without(inputs, size), left=True)
        first = {"input_ids": self.tokens, "attention_mask": torch.ones_like(self.tokens)}
        return {name: torch.cat([first[name].expand(count, size), rest[name]], dim=1) for name in rest}

    def cache_for(self, rows: int) -> DynamicCache:
        """Return keys and values for so many rows, which may be written to."""
        cache = copy.deepcopy(self.cache)
        cache.batch_repeat_interleave(rows)
        return cache


def prefix_of(module: nn.Module, inputs: Inputs) -> Prefix | None:
    """Return what all prompts begin with; None where that is short, or the network keeps no plain cache."""
    if len(inputs["input_ids"]) < 2:
        return None
    left = padded(inputs, left=False)
    ids, lengths = left["input_ids"], left["attention_mask"].sum(1)
    alike = (ids == ids[:1]).all(0) & left["attention_mask"].bool().all(0)
    size = min(int(alike.long().cumprod(0).sum()), int(lengths.min()) - 1)  # a prompt has a token of its own
    if size < LEAST:
        return None
    out = cast("Any", module).base_model(ids[:1, :size], use_cache=True)
    cache = getattr(out, "past_key_values", None)
    plain = isinstance(cache, DynamicCache) and all(type(layer) is DynamicLayer for layer in cache.layers)
    return Prefix(ids[0, :size], cast("DynamicCache", cache)) if plain and cache is not None else None


def _without(inputs: Inputs, size: int) -> dict[str, Tensor]:
    """Return prompts without their first tokens."""
    left = padded(inputs, left=False)
    return {name: value[:, size:] for name, value in left.items()}


def padded(inputs: Inputs, *, left: bool) -> dict[str, Tensor]:
    """Return the rows with their padding on one side, without columns that are padding in all rows."""
    mask = inputs["attention_mask"].bool()
    width = int(mask.sum(1).max())
    order = mask.to(torch.int8).argsort(dim=1, stable=True, descending=not left)  # tokens keep their order
    columns = order[:, -width:] if left else order[:, :width]
    return {name: value.gather(1, columns) for name, value in inputs.items()}
