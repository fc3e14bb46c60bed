"""Two-stream attention: a place is predicted from the tokens before it in an order, and from where it stands.

A batch has as `order` [B, T] the rank of each token that is to be predicted, −1 of those that are seen by all.  A place
i sees the tokens j with order_j < order_i and those of rank −1; its query stream starts from one learnt vector in place
of its own token.

Yang et al. 2019 (XLNet), https://arxiv.org/abs/1906.08237, section 2.3; transformers' `perm_mask` and `target_mapping`.
"""

import inspect
from typing import Any, cast

import torch
from torch import Tensor, nn

from metaglot.errors import MetaglotError
from metaglot.types import Batch

ORDER = "order"
CONTEXT = -1  # the rank of a token that all places see


def has_two_streams(base: nn.Module) -> bool:
    """Return whether a network predicts places in any order."""
    return {"perm_mask", "target_mapping"} <= inspect.signature(base.forward).parameters.keys()


def query_states(base: nn.Module, batch: Batch) -> Tensor:  # [B, T, D]
    """Return the states of the query stream at the places that have a rank, zeros elsewhere.

    Raises MetaglotError for a network without two-stream attention.
    """
    if not has_two_streams(base):
        raise MetaglotError(f"a {type(base).__name__} predicts tokens in no other order than its own; take an XLNet")
    order, weight = batch[ORDER], next(base.parameters())
    mapping = places_of(order).to(weight.dtype)
    states = cast("Any", base)(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        perm_mask=hidden_from(order).to(weight.dtype),
        target_mapping=mapping,
        use_mems=False,
    ).last_hidden_state  # [B, K, D]
    return torch.einsum("bkt,bkd->btd", mapping.to(states.dtype), states)


def hidden_from(order: Tensor) -> Tensor:  # [B, T] -> [B, T, T]
    """Return where place i (rows) does not see token j (columns): it has a rank that is not before that of i."""
    return (order[:, None, :] >= order[:, :, None]) & (order[:, None, :] > CONTEXT)


def places_of(order: Tensor) -> Tensor:  # [B, T] -> [B, K, T]
    """Return the places that have a rank, each as a row with a one; K is the largest number of them in a text."""
    ranked = order > CONTEXT
    count = max(1, int(ranked.sum(1).max()))
    first = ranked.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :count]  # [B, K]
    ones = torch.nn.functional.one_hot(first, order.shape[1])
    return ones * ranked.gather(1, first)[..., None]
