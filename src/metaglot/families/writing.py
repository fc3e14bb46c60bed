"""Writing: predict each token of a target from its source and the tokens of the target before it.

    L = −1/M Σ_t log p(y_t | x, y_1 … y_{t−1}),   M the tokens of the targets and their ends

Tokens of a source are not judged.  A mean over examples, L = 1/B Σ_i L_i, counts a short target as much as a long one:
it is the length-normalised loss, which every batch tells beside the loss a token and which can be learnt by instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from metaglot.families.batches import pad_rows
from metaglot.families.language.judging import UNJUDGED, OverVocabulary, judged_labels, token_metrics
from metaglot.families.prompts import Whole
from metaglot.metric import ACCURACY, Measures, Metric, error_metric
from metaglot.types import Batch, Row

NAME = "generation"
LOSS = error_metric("loss", unit="nats a token")
EXAMPLE_LOSS = error_metric("example_loss", "loss of examples", unit="nats a token, mean over examples")
PERPLEXITY = Metric("perplexity", better="lower", digits=1, low=1.0)
WRITING: Measures = (LOSS, PERPLEXITY, ACCURACY, EXAMPLE_LOSS)


@dataclass(frozen=True)
class Writing(OverVocabulary):
    """Tasks whose target is a text that the learner's own language-model head writes."""

    pad_token_id: int
    mean_over: Literal["tokens", "examples"] = "tokens"
    name: str = NAME

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return rows as input_ids, attention_mask [B, T] and labels, padded on the right.

        Labels are [B, T] behind a decoder, where each is the next token, and [B, T'] of an encoder–decoder, where they
        are the tokens of the target.
        """
        batch = pad_rows(rows, pad_token_id=self.pad_token_id)
        apart = any(len(row["labels"]) != len(row["input_ids"]) for row in rows)
        width = max(len(row["labels"]) for row in rows) if apart else batch["input_ids"].shape[1]
        labels = np.full((len(rows), width), UNJUDGED, dtype=np.int64)
        for i, row in enumerate(rows):
            labels[i, : len(row["labels"])] = row["labels"]
        return {**batch, "labels": torch.from_numpy(labels)}

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:  # nats
        """Return the cross-entropy of the judged tokens: their mean, or the mean over examples of the mean of each."""
        if self.mean_over == "tokens":
            return super().loss(logits, batch)
        return example_loss(logits, batch)

    def judged(self, batch: Batch) -> int:
        """Return what the loss is a mean over: the tokens with a label, or the examples that have one."""
        there = batch["labels"] != UNJUDGED
        return int(there.sum() if self.mean_over == "tokens" else there.any(1).sum())

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        """Return loss, perplexity and accuracy of tokens, and the length-normalised loss."""
        return {**token_metrics(logits, batch), EXAMPLE_LOSS.name: float(example_loss(logits, batch))}

    @property
    def measures(self) -> Measures:
        """Loss a token, the primary one since its mean is one, and what else `metrics` gives."""
        return WRITING


def example_loss(logits: Tensor, batch: Batch) -> Tensor:  # [M, V] -> nats a token, mean over examples
    """Return the mean over the examples of the mean cross-entropy of their judged tokens, 0 where there is none."""
    there = batch["labels"] != UNJUDGED
    counts = there.sum(1)  # [B]
    if not bool(counts.any()):
        return logits.sum()
    each = cross_entropy(logits, judged_labels(batch), reduction="none")
    shares = (1 / counts.clamp(min=1)).repeat_interleave(counts).to(each)  # [M]
    return (each * shares).sum() / (counts > 0).sum()


def decoder_row(whole: Whole) -> Row:
    """Return a prompt and its target as one sequence; the label of a place is the next token if the target has it."""
    tokens = [*whole.prompt, *whole.target]
    labels = [UNJUDGED] * (len(whole.prompt) - 1) + [*whole.target, UNJUDGED]
    return {"input_ids": tokens, "labels": labels}


def source_and_target_row(whole: Whole) -> Row:
    """Return a row of an encoder–decoder: the source, and the tokens of the target."""
    return {"input_ids": whole.prompt, "labels": whole.target}
