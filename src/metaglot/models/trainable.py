"""Whether a network can be trained: its gradient is taken once, on one short text, before anybody waits for it.

Some networks run on texts and yet have no gradient: RWKV changes its states in place, and a Reformer in training wants
texts of one length.  Types of models that the tests hold are not tried.
"""

from typing import Any, cast

import torch

from metaglot.errors import MetaglotError
from metaglot.models.learner import BODY, HfLearner
from metaglot.models.probe import SAFE
from metaglot.models.quiet import quiet, short

TOKENS = 5  # of the text


def check_trains(learner: HfLearner, name: str, *, dropout: bool) -> None:
    """Raise MetaglotError where no gradient of the body can be taken; the embedding of tokens is left out."""
    if cast("Any", learner.module).config.model_type in SAFE or (embedding := learner.embedding) is None:
        return
    ids = torch.zeros(1, TOKENS, dtype=torch.int64, device=learner.device)
    body = {n: v for n, v in learner.body().items() if v.is_floating_point() and n != BODY + embedding.name}
    moved = {n: v.requires_grad_() for n, v in body.items()}
    try:
        with quiet(), torch.enable_grad():
            batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
            pooled = learner.forward(moved, batch, seed=0 if dropout else None).pooled
            torch.autograd.grad(pooled.sum(), list(moved.values()), allow_unused=True)
    except Exception as error:  # every network has its own way to fail
        raise MetaglotError(
            f"{name}: no gradient of its network can be taken ({short(error)}), so that it cannot be trained; adapt it "
            "with the effort instant, or take another model"
        ) from error
