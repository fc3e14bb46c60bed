"""A backbone is run on two texts when it is loaded, so that what it cannot do is known before anything is learnt."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from metaglot.data.encode import LEAST
from metaglot.errors import MetaglotError
from metaglot.models.learner import HfLearner
from metaglot.models.positions import positions_of
from metaglot.models.quiet import short
from metaglot.types import Batch

TEXTS = ("a text", "a second text, which is longer than the first one")
TOKENS = 16  # of a text of these, at most


@contextmanager
def running(name: str) -> Generator[None]:
    """Within the block a network is run; whatever it raises becomes a MetaglotError."""
    try:
        yield
    except MetaglotError:
        raise
    except Exception as error:  # every network has its own way to fail
        raise MetaglotError(
            f"{name}: the network cannot be run on texts ({short(error)}); take an encoder or a decoder of text"
        ) from error


def runnable_learner(learner: HfLearner, tokenizer: Any, name: str) -> tuple[HfLearner, tuple[str, ...]]:
    """Return the learner with the width of its features, in fp32 where it fails in bf16, and notes about it.

    Raises MetaglotError where it fails in fp32 too, and where it has too few positions for any text.
    """
    positions = positions_of(learner.module)
    if positions < LEAST:
        raise MetaglotError(
            f"{name}: its config or its table of positions allows {positions} tokens, but a text needs at least "
            f"{LEAST}; correct max_position_embeddings in its config.json, or take another model"
        )
    batch = _batch(tokenizer, learner, min(TOKENS, positions))
    if not learner.bf16:
        with running(name):
            return replace(learner, width=_width(learner, batch)), ()
    try:
        return replace(learner, width=_width(learner, batch)), ()
    except Exception as error:  # every network has its own way to fail
        fallen, _ = runnable_learner(replace(learner, bf16=False), tokenizer, name)
        return fallen, (f"runs in fp32: it fails in bf16 ({short(error):.100})",)


def _width(learner: HfLearner, batch: Batch) -> int:
    with torch.no_grad():
        pooled = learner.forward({}, batch).pooled
    if pooled.ndim != 2 or len(pooled) != len(TEXTS):
        raise ValueError(f"features of the shape {list(pooled.shape)}")
    if not bool(torch.isfinite(pooled).all()):
        raise ValueError("features that are no numbers")
    return int(pooled.shape[1])


def _batch(tokenizer: Any, learner: HfLearner, length: int) -> Batch:
    """Return the two texts as tokens; a tokenizer that knows no token of them gives its own first ones."""
    rows = [ids or [0] for ids in tokenizer(list(TEXTS), truncation=True, max_length=length)["input_ids"]]
    width = max(map(len, rows))
    pad, left = int(tokenizer.pad_token_id or 0), tokenizer.padding_side == "left"
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros(len(rows), width, dtype=torch.int64)
    for i, row in enumerate(rows):
        place = slice(width - len(row), width) if left else slice(0, len(row))
        ids[i, place], mask[i, place] = torch.tensor(row), 1
    return {"input_ids": ids.to(learner.device), "attention_mask": mask.to(learner.device)}
