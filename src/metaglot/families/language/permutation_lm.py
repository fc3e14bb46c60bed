"""Permutation language modelling: predict the last tokens of a random order from those before them in that order.

    L = −1/M Σ_k log p(x_{z_k} | x at the places z_1 … z_{k−1}),   k over the last tokens of the order z

A place sees the tokens that come before it in the order, wherever they stand in the text; its own token it does not
see, though it knows where it stands (two-stream attention, `models/two_streams.py`).  With all tokens judged, exp L is
the perplexity of the text by the factorisation that was drawn.

Yang et al. 2019 (XLNet), https://arxiv.org/abs/1906.08237
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from metaglot.families.language.judging import UNJUDGED, OverVocabulary, collate_labelled
from metaglot.models.two_streams import CONTEXT, ORDER
from metaglot.types import Batch, Row


@dataclass(frozen=True)
class PermutationLm(OverVocabulary):
    """Tasks that a network with two-stream attention solves by predicting tokens in a random order."""

    pad_token_id: int
    special: frozenset[int]  # tokens that are seen and never predicted
    share: float = 1 / 6  # of the other tokens of a row that is predicted; XLNet takes a sixth
    name: str = "permutation-lm"

    def prepare(self, rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
        """Return the rows with labels, and the rank of each token in the order of prediction.

        round(share · n) of the n ordinary tokens of a row are predicted, one at the least; all others are seen.
        """
        return [self._ordered(row, rng) for row in rows]

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return prepared rows as input_ids, attention_mask, labels and order [B, T], padded on the right."""
        batch = collate_labelled(rows, pad_token_id=self.pad_token_id)
        order = np.full(batch["input_ids"].shape, CONTEXT, dtype=np.int64)
        for i, row in enumerate(rows):
            order[i, : len(row[ORDER])] = row[ORDER]
        return {**batch, ORDER: torch.from_numpy(order)}

    def _ordered(self, row: Row, rng: np.random.Generator) -> Row:
        ids = np.asarray(row["input_ids"], dtype=np.int64)
        places = rng.permutation(np.flatnonzero(~np.isin(ids, sorted(self.special))))
        chosen = places[: max(1, round(self.share * len(places)))]
        labels, order = (np.full(len(ids), value, dtype=np.int64) for value in (UNJUDGED, CONTEXT))
        labels[chosen], order[chosen] = ids[chosen], np.arange(len(chosen))
        return {**row, "labels": labels, ORDER: order}
