"""SimCSE: a text is nearer to its twin than to the twins of the other texts of a batch.

    L = −1/B Σ_i log exp(cos(h_i, h'_i) / T) / Σ_j exp(cos(h_i, h'_j) / T)

The twin is the same text under another dropout mask, a sentence beside it, or its known partner.  Texts of a batch
that are the same, or whose twins are, are no negatives of one another.  The features are those that the model gives
elsewhere; the paper puts a layer on them that is dropped after training.

Gao et al. 2021, https://arxiv.org/abs/2104.08821.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from metaglot.errors import MetaglotError
from metaglot.families.batches import pad_rows
from metaglot.metric import Measures, error_metric, share
from metaglot.types import FEATURES, Batch, HeadSpec, Outputs, Params, Row, TaskInfo, Units

FAR = -1e4  # in place of the likeness of texts that are the same; finite, so that a batch of one has a gradient
MEASURES: Measures = (
    error_metric("loss", unit="nats a text"),
    share("twins_found", "twins found", meaning="texts whose twin is the nearest of the batch, in %"),
)


@dataclass(frozen=True)
class SimCse:
    """Tasks on the features of texts alone: no output layer, no labels.

    A batch has the B texts, then their B twins in the same order.
    """

    pad_token_id: int
    temperature: float = 0.05  # T
    name: str = "simcse"

    def prepare(self, rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
        """Return the rows; nothing is drawn."""
        del rng
        return list(rows)

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return texts and twins as input_ids and attention_mask [2B, T], padded on the right."""
        return pad_rows(rows, pad_token_id=self.pad_token_id)

    def head_spec(self, task: TaskInfo, hidden_size: int) -> HeadSpec:
        """Return that there is no output layer."""
        del task
        return HeadSpec(inputs=hidden_size, outputs=0, level=FEATURES)

    def units(self, outputs: Outputs, batch: Batch, spec: HeadSpec) -> Units:
        """Raise MetaglotError: no output layer is made of the batch."""
        del outputs, batch, spec
        raise MetaglotError("simcse compares features and has no head, so there is nothing to make one of")

    def logits(self, params: Params, outputs: Outputs, batch: Batch) -> Tensor:  # [B, B]
        """Return the cosine of each text with each twin, over T."""
        del params
        first, second = normalize(outputs.pooled, dim=-1).chunk(2)
        ids, twins = batch["input_ids"].chunk(2)
        same = (_equal(ids) | _equal(twins)).logical_and(~torch.eye(len(ids), dtype=torch.bool, device=ids.device))
        return (first @ second.T / self.temperature).masked_fill(same, FAR)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:  # nats, mean over B
        """Return L."""
        del batch
        return cross_entropy(logits, torch.arange(len(logits), device=logits.device))

    def judged(self, batch: Batch) -> int:
        """Return the number of texts, B."""
        return len(batch["input_ids"]) // 2

    def of_data_set(self, batch: Batch, task: TaskInfo) -> Batch:
        """Return the batch: it has no targets to number."""
        del task
        return batch

    def predict(self, logits: Tensor) -> Tensor:  # [B]
        """Return the nearest twin of each text."""
        return logits.argmax(-1)

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        """Return the loss, and the share of texts whose own twin is the nearest."""
        found = (logits.argmax(-1) == torch.arange(len(logits), device=logits.device)).float().mean()
        return {"loss": float(self.loss(logits, batch)), "twins_found": float(found)}

    @property
    def measures(self) -> Measures:
        """The loss, the primary one, then the share of twins that are found."""
        return MEASURES


def _equal(ids: Tensor) -> Tensor:  # [B, T] -> [B, B]
    """Return which rows are the same tokens; padding is the same in all."""
    return (ids[:, None] == ids[None]).all(-1)
