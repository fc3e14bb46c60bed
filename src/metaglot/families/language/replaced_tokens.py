"""Replaced-token detection: which tokens of a text are not its own, but guesses of a small generator.

    L = L_MLM(generator) + λ · 1/T Σ_t [ −z_t log σ(s_t) − (1 − z_t) log(1 − σ(s_t)) ],   z_t = 1 where x̂_t ≠ x_t

The generator learns by masked language modelling, the encoder by telling all T tokens apart; a guess that is right
counts as the text's own (`models/detection.py`).

Clark et al. 2020 (ELECTRA), https://arxiv.org/abs/2003.10555; λ = 50 there, and all hidden tokens are masked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from metaglot.families.language.judging import UNJUDGED, OverVocabulary, collate_labelled
from metaglot.metric import Measures, Metric, error_metric
from metaglot.models.detection import DRAWS, LOSS, REPLACED, SCORE
from metaglot.types import Batch, Row

AUC = Metric(
    "detection_auc",
    "AUC of replaced tokens",
    low=0.0,
    high=1.0,
    meaning="the chance that a replaced token has a higher score than one that is not",
)
MEASURES: Measures = (
    error_metric("loss", unit="nats"),
    error_metric("generator_loss", unit="nats a masked token"),
    error_metric("detection_loss", unit="nats a token"),
    AUC,
)


@dataclass(frozen=True)
class ReplacedTokens(OverVocabulary):
    """Tasks of a learner with generator and detector (`models.detection.Detecting`)."""

    pad_token_id: int
    mask_token_id: int
    special: frozenset[int]  # tokens that are never replaced
    share: float = 0.15  # of the other tokens of a row that is masked for the generator
    weight: float = 50.0  # λ
    name: str = "replaced-tokens"

    def prepare(self, rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
        """Return the rows with tokens masked, labels that hold what was there, and a uniform number for each place.

        round(share · n) of the n ordinary tokens of a row are masked, one at the least.
        """
        return [self._masked(row, rng) for row in rows]

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return prepared rows as input_ids, attention_mask, labels and draws [B, T], padded on the right."""
        batch = collate_labelled(rows, pad_token_id=self.pad_token_id)
        draws = np.zeros(batch["input_ids"].shape)
        for i, row in enumerate(rows):
            draws[i, : len(row[DRAWS])] = row[DRAWS]
        return {**batch, DRAWS: torch.from_numpy(draws)}

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:  # [B, T, 3] -> nats
        """Return L."""
        return self._generator_loss(logits, batch) + self.weight * _detection_loss(logits, batch)

    def judged(self, batch: Batch) -> int:
        """Return the number of tokens."""
        return int(batch["attention_mask"].sum())

    def predict(self, logits: Tensor) -> Tensor:  # [B, T]
        """Return which tokens are taken for replaced ones."""
        return logits[..., SCORE] > 0

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        """Return L and its parts, and the AUC of the scores over all tokens of the batch."""
        seen = batch["attention_mask"].bool()
        return {
            "loss": float(self.loss(logits, batch)),
            "generator_loss": float(self._generator_loss(logits, batch)),
            "detection_loss": float(_detection_loss(logits, batch)),
            "detection_auc": auc(logits[..., SCORE][seen], logits[..., REPLACED][seen] > 0),
        }

    @property
    def measures(self) -> Measures:
        """The whole loss, its two parts, and the AUC."""
        return MEASURES

    @staticmethod
    def _generator_loss(logits: Tensor, batch: Batch) -> Tensor:
        losses = logits[..., LOSS][batch["labels"] != UNJUDGED]
        return losses.mean() if len(losses) else logits[..., LOSS].sum()

    def _masked(self, row: Row, rng: np.random.Generator) -> Row:
        ids = np.asarray(row["input_ids"], dtype=np.int64)
        ordinary = np.flatnonzero(~np.isin(ids, sorted(self.special)))
        wanted = max(1, round(self.share * len(ordinary))) if len(ordinary) else 0
        places = np.sort(rng.choice(ordinary, wanted, replace=False))
        labels, changed = np.full(len(ids), UNJUDGED, dtype=np.int64), ids.copy()
        labels[places], changed[places] = ids[places], self.mask_token_id
        return {**row, "input_ids": changed, "labels": labels, DRAWS: rng.random(len(ids))}


def _detection_loss(logits: Tensor, batch: Batch) -> Tensor:  # nats a token
    seen = batch["attention_mask"].bool()
    return binary_cross_entropy_with_logits(logits[..., SCORE][seen], logits[..., REPLACED][seen].detach())


def auc(scores: Tensor, positive: Tensor) -> float:  # [N], [N] bool
    """Return the chance that a positive scores higher than a negative, ties counted half; ½ where one kind lacks."""
    high, low = scores[positive].contiguous(), scores[~positive].sort().values
    if not len(high) or not len(low):
        return 0.5
    below, up_to = (torch.searchsorted(low, high, right=right) for right in (False, True))
    return float((below + up_to).double().mean() / (2 * len(low)))
