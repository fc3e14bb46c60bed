"""SimCSE out of a recipe: which texts are twins, and what is kept aside to be judged on."""

import numpy as np
import pyarrow as pa
import torch

from metaglot.assembly.text import TextSource
from metaglot.config import tasks as kinds
from metaglot.data.corpus import PAIR, Corpus
from metaglot.data.store import tokenise
from metaglot.errors import MetaglotError
from metaglot.families.language import SimCse
from metaglot.models import Backbone
from metaglot.tasks.plain import HeldOut, PlainText
from metaglot.tasks.twins import Twins, neighbours, same_twice


def simcse(source: TextSource, settings: kinds.SimCse, *, dropout: bool) -> PlainText:
    """Return batches of texts with their twins; `dropout` says whether the algorithm trains with it.

    Raises MetaglotError where dropout is to make twins and there is none, and where a corpus has no pairs.
    """
    if settings.positives == "dropout":
        _check_dropout(source.backbone, dropout=dropout)
        twins = same_twice(source.sentences)
    elif settings.positives == "neighbours":
        twins = neighbours(source.sentences)
    else:
        twins = _pairs(source, source.text.train)
    return PlainText(twins, objective_of(source.backbone, settings), settings.batch, name="simcse")


def simcse_held_out(source: TextSource, settings: kinds.SimCse, batches: int) -> HeldOut | None:
    """Return pairs of documents kept aside: known ones, or else neighbouring sentences; None where none is kept aside.

    A sentence is not its own twin there, since validation has no dropout.
    """
    corpus = source.text.held_out
    if corpus is None:
        return None
    twins = _pairs(source, corpus) if settings.positives == "pairs" else neighbours(source.sentences_of(corpus))
    return HeldOut(twins, objective_of(source.backbone, settings), settings.batch, batches)


def objective_of(backbone: Backbone, settings: kinds.SimCse) -> SimCse:
    """Return the objective with the settings of a recipe."""
    return SimCse(int(backbone.tokenizer.pad_token_id or 0), settings.temperature)


def _pairs(source: TextSource, corpus: Corpus) -> Twins:
    """Return the texts of a corpus that have a partner, with it."""
    table = corpus.table
    if PAIR not in table.column_names:
        raise MetaglotError(
            f"{corpus.name}: no column text_pair, which holds the partner of a text; name yours "
            "(columns: {text_pair: …}), or take positives: dropout or neighbours"
        )
    table = table.filter(table[PAIR].is_valid())
    if not len(table):
        raise MetaglotError(f"{corpus.name}: no text has a partner in the column text_pair")
    sets = [
        tokenise(
            pa.table({"text": table[column], "row": table["row"]}),
            source.backbone.tokenizer,
            name=corpus.name,
            max_length=source.recipe.model.max_length,
            prompt=source.backbone.prompt,
        )
        for column in ("text", PAIR)
    ]
    every = np.arange(len(table))
    return Twins(sets[0], sets[1], np.stack([every, every], axis=1))


def _check_dropout(backbone: Backbone, *, dropout: bool) -> None:
    """Raise MetaglotError where two passes of a text would be the same."""
    way_out = "take positives: neighbours or pairs"
    if not dropout:
        raise MetaglotError(f"its twins are two dropout masks, and the algorithm has dropout: false; {way_out}")
    ids = torch.zeros(2, 4, dtype=torch.int64, device=backbone.learner.device)
    with torch.no_grad():
        first, second = backbone.learner.forward({}, {"input_ids": ids, "attention_mask": ids + 1}, seed=0).pooled
    if torch.allclose(first, second, atol=1e-6):
        raise MetaglotError(f"its twins are two dropout masks, and {backbone.name} has no dropout; {way_out}")
