"""Causal language modelling: predict each token from those before it.

L = −1/M Σ_t log p(x_{t+1} | x_1 … x_t)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from metaglot.tasks.objectives.judging import UNJUDGED, collate_labelled, judged_logits, token_loss, token_metrics
from metaglot.types import VOCABULARY, Batch, HeadSpec, Outputs, Params, Row, TaskInfo


@dataclass(frozen=True)
class CausalLm:
    """The family of tasks that a decoder solves by predicting the next token; an encoder, which sees it, cannot."""

    pad_token_id: int
    name: str = "causal-lm"

    def prepare(self, rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
        """Return the rows with labels: at each position the next token, none at the last; `rng` is not needed."""
        del rng
        return [{**row, "labels": np.append(np.asarray(row["input_ids"])[1:], UNJUDGED)} for row in rows]

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return prepared rows as input_ids, attention_mask and labels [B, T], padded on the right."""
        return collate_labelled(rows, pad_token_id=self.pad_token_id)

    def head_spec(self, task: TaskInfo, hidden_size: int) -> HeadSpec:
        """Return that the decoder's own head scores the vocabulary."""
        del task
        return HeadSpec(inputs=hidden_size, outputs=0, level=VOCABULARY)

    def logits(self, params: Params, outputs: Outputs) -> Tensor:  # [M, V]
        """Return the scores of the judged positions."""
        del params
        return judged_logits(outputs)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:  # nats a judged token
        """Return the cross-entropy of the judged tokens."""
        return token_loss(logits, batch)

    def predict(self, logits: Tensor) -> Tensor:  # [M]
        """Return the likeliest token of each judged position."""
        return logits.argmax(-1)

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        """Return loss, perplexity and accuracy."""
        return token_metrics(logits, batch)
