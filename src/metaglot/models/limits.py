"""How many tokens of a text a backbone reads: no more than it runs on, and enough that a text is read at all.

For types of models that the tests hold, config and table say it.  Others are run on one text of as many tokens as are
wanted, since a config may promise more than the network has.
"""

from typing import Any, cast

import torch

from metaglot.data.encode import LEAST, check_room
from metaglot.errors import MetaglotError
from metaglot.models.learner import HfLearner
from metaglot.models.load import Backbone
from metaglot.models.positions import positions_of
from metaglot.models.probe import SAFE


def check_length(backbone: Backbone, max_length: int, where: str) -> None:
    """Raise MetaglotError if the backbone cannot read `max_length` tokens, or if no text has room in them."""
    check_least(backbone, max_length, where)
    most = longest(backbone, max_length)
    if max_length > most:
        raise MetaglotError(
            f"{where}: max_length is {max_length} tokens, but {backbone.name} takes at most {most}; lower it"
        )


def check_least(backbone: Backbone, max_length: int, where: str) -> None:
    """Raise MetaglotError if no text has room in `max_length` tokens."""
    if max_length < LEAST:
        raise MetaglotError(f"{where}: max_length is {max_length} tokens, but a text needs at least {LEAST}; raise it")
    check_room(backbone.tokenizer, max_length, prompt=backbone.prompt, where=where)


def longest(backbone: Backbone, wanted: int) -> int:
    """Return how many tokens of a text the backbone reads, up to as many as are wanted."""
    learner = backbone.learner
    wanted = min(wanted, positions_of(learner.module))
    if cast("Any", learner.module).config.model_type in SAFE or _runs(learner, backbone.tokenizer, wanted):
        return wanted
    works, fails = LEAST, wanted
    while fails - works > 1:
        middle = (works + fails) // 2
        works, fails = (middle, fails) if _runs(learner, backbone.tokenizer, middle) else (works, middle)
    return works


def _runs(learner: HfLearner, tokenizer: Any, length: int) -> bool:
    """Return whether the network runs on a text of so many tokens, none of them the one for padding."""
    token = 0 if tokenizer.pad_token_id else 1
    ids = torch.full((1, length), token, device=learner.device)
    try:
        with torch.no_grad():
            pooled = learner.forward({}, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}).pooled
    except Exception:  # every network has its own way to fail
        return False
    return bool(torch.isfinite(pooled).all())
