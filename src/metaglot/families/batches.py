"""Batches: padding rows, joining batches."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from metaglot.types import Batch, Row

FILL = {
    "labels": -100,
    "tags": -100,
    "order": -1,
}  # of padded positions: one label or tag a unit is not to be learnt there, none is predicted; all else is 0


def pad_rows(rows: Sequence[Row], *, pad_token_id: int) -> dict[str, Tensor]:
    """Return input_ids, attention_mask and, where rows have them, token_type_ids [B, T], padded on the right."""
    length = max(len(row["input_ids"]) for row in rows)
    ids = np.full((len(rows), length), pad_token_id, dtype=np.int64)
    mask = np.zeros((len(rows), length), dtype=np.int64)
    kinds = np.zeros((len(rows), length), dtype=np.int64)
    for i, row in enumerate(rows):
        n = len(row["input_ids"])
        ids[i, :n], mask[i, :n] = row["input_ids"], 1
        if "token_type_ids" in row:
            kinds[i, :n] = row["token_type_ids"]
    batch = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
    if any("token_type_ids" in row for row in rows):
        batch["token_type_ids"] = torch.from_numpy(kinds)
    return batch


def concatenate(first: Batch, second: Batch) -> dict[str, Tensor]:
    """Return the examples of both batches as one, padded to the longer."""
    return {name: _join(name, first, second) for name in {**first, **second}}


def take(batch: Batch, index: Tensor) -> dict[str, Tensor]:
    """Return the chosen examples of a batch."""
    return {name: value[index] for name, value in batch.items()}


def size(batch: Batch) -> int:
    """Return the number of examples, B."""
    return next(iter(batch.values())).shape[0]


def _join(name: str, first: Batch, second: Batch) -> Tensor:
    # Only token types may be absent: a batch without a pair has none, which means zeros.
    a, b = (batch[name] if name in batch else torch.zeros_like(batch["input_ids"]) for batch in (first, second))
    if a.ndim > 1:
        shape = [max(sizes) for sizes in zip(a.shape[1:], b.shape[1:], strict=True)]
        # Padded positions are masked, so their token does not matter.
        a, b = (_widened(x, shape, FILL.get(name, 0)) for x in (a, b))
    return torch.cat([a, b])


def _widened(value: Tensor, shape: Sequence[int], fill: int) -> Tensor:  # [B, T, ...] -> [B, *shape]
    missing = [wanted - size for wanted, size in zip(shape, value.shape[1:], strict=True)]
    return pad(value, [edge for more in reversed(missing) for edge in (0, more)], value=fill)
