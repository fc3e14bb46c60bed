"""Causal language modelling: predict each token from those before it.

L = −1/M Σ_t log p(x_{t+1} | x_1 … x_t)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metaglot.families.language.judging import UNJUDGED, OverVocabulary, collate_labelled
from metaglot.types import Batch, Row


@dataclass(frozen=True)
class CausalLm(OverVocabulary):
    """Tasks that a decoder solves by predicting the next token; an encoder, which sees it, cannot."""

    pad_token_id: int
    name: str = "causal-lm"

    def prepare(self, rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
        """Return the rows with labels: at each position the next token, none at the last; `rng` is not needed."""
        del rng
        return [{**row, "labels": np.append(np.asarray(row["input_ids"])[1:], UNJUDGED)} for row in rows]

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return prepared rows as input_ids, attention_mask and labels [B, T], padded on the right."""
        return collate_labelled(rows, pad_token_id=self.pad_token_id)
