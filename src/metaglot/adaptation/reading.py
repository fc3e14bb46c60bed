"""Which part of a pair a task is about: both texts, or one of them alone.

    gain(r) = Σ_i log p_r(y_i | x_i) − Σ_i log p_both(y_i | x_i)

over examples set aside, under a head in closed form made of the others, which reads `r`.  One part alone is read where
its gain is more than one nat, the larger if both are.  A task such as the kind of a name within a sentence is about
the name: of two texts pooled as one, most of the tokens are the sentence's.  For tasks about how two texts agree one of
them tells nothing, and both stay (docs/tuning.md).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch

from metaglot.adaptation.closed_form import ENOUGH, known_rows, told
from metaglot.adaptation.model import Model
from metaglot.errors import MetaglotError

Reads = Literal["both", "first", "second"]
READS: tuple[Reads, ...] = ("both", "first", "second")


def reading(
    model: Model, texts: Sequence[str], labels: Sequence[str], pairs: Sequence[str], *, reads: Reads | None = None
) -> Model:
    """Return the model that reads a part of pairs: the one named, or the one that suits the examples best.

    A function of the examples.  Raises MetaglotError for a part of another name.
    """
    if reads is None:
        gains = gains_of(model, texts, labels, pairs)
        best = max(gains, key=lambda part: gains[part])
        reads = best if gains[best] > ENOUGH else "both"
    if reads not in READS:
        raise MetaglotError(f"reads {reads!r}: expected one of {', '.join(READS)}")
    return replace(model, reads=reads)


def gains_of(model: Model, texts: Sequence[str], labels: Sequence[str], pairs: Sequence[str]) -> dict[Reads, float]:
    """Return by how many nats either part alone tells examples set aside better than both."""
    whole, first, second = (_nats(replace(model, reads=part), texts, labels, pairs) for part in READS)
    return {"first": first - whole, "second": second - whole}


def _nats(model: Model, texts: Sequence[str], labels: Sequence[str], pairs: Sequence[str]) -> float:
    classes = sorted(set(labels))
    features = model.features(model.meta, texts, pairs)
    numbers = torch.tensor([classes.index(label) for label in labels], device=features.device)
    return told(known_rows(features, numbers, spoken=False), len(classes), model.metric).nats
