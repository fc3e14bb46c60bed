"""Rows of several texts, such as a question and its candidates: each text is read by itself, as if in a row of its own.

    input_ids, attention_mask [B, P, T]  →  N different texts [N, t]  →  their features at their places, [B, P, D]

A text that stands at several places is read once, and a place without a token holds no text: its features are zeros.
With dropout, equal texts of a batch have one mask.
"""

from collections.abc import Callable

import torch

from metaglot.types import Batch, Outputs

NAMES = ("input_ids", "attention_mask", "token_type_ids")


def of_several(read: Callable[[Batch], Outputs], batch: Batch) -> Outputs:
    """Return the features of each text of each row as `hidden` [B, P, D], and those of the first as `pooled` [B, D]."""
    mask = batch["attention_mask"]
    there = mask.any(-1)  # [B, P]
    longest = max(1, int(mask.sum(-1).max()))
    parts = {name: batch[name][there][:, :longest] for name in NAMES if name in batch}
    different, place = torch.stack(list(parts.values()), 1).unique(dim=0, return_inverse=True)  # [N, 2 or 3, t]
    found = read(dict(zip(parts, different.unbind(1), strict=True))).pooled[place]
    hidden = found.new_zeros(*there.shape, found.shape[-1]).index_put((there,), found)
    return Outputs(hidden=hidden, pooled=hidden[:, 0], mask=there.to(mask.dtype))
