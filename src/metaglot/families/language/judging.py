"""What the language-modelling objectives share: rows with a label a token, the loss a judged token, the metrics."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from metaglot.errors import MetaglotError
from metaglot.families.batches import pad_rows
from metaglot.metric import ACCURACY, Measures, Metric, error_metric
from metaglot.types import VOCABULARY, Batch, HeadSpec, Outputs, Params, Row, TaskInfo, Units

UNJUDGED = -100
MOST = 700.0  # nats; beyond, a perplexity is no number
PERPLEXITY = Metric("perplexity", better="lower", digits=1, low=1.0)
TOKENS: Measures = (error_metric("loss", unit="nats a token"), PERPLEXITY, ACCURACY)


def collate_labelled(rows: Sequence[Row], *, pad_token_id: int) -> dict[str, Tensor]:
    """Return prepared rows as input_ids, attention_mask and labels [B, T]; padding is not judged."""
    batch = pad_rows(rows, pad_token_id=pad_token_id)
    labels = np.full(batch["input_ids"].shape, UNJUDGED, dtype=np.int64)
    for i, row in enumerate(rows):
        labels[i, : len(row["labels"])] = row["labels"]
    return {**batch, "labels": torch.from_numpy(labels)}


def judged_logits(outputs: Outputs) -> Tensor:  # [M, V]
    """Return the learner's own scores; raise MetaglotError where it gave none."""
    if outputs.logits is None:
        raise MetaglotError("the learner gave no scores of tokens; load it with its language-model head")
    return outputs.logits


def judged_labels(batch: Batch) -> Tensor:  # [B, T] -> [M]
    """Return the labels of the judged positions, in row-major order."""
    labels = batch["labels"]
    return labels[labels != UNJUDGED]


def token_loss(logits: Tensor, batch: Batch) -> Tensor:  # nats a judged token
    """Return the mean cross-entropy of the judged tokens, 0 where none is."""
    labels = judged_labels(batch)
    return cross_entropy(logits, labels) if len(labels) else logits.sum()


def token_metrics(logits: Tensor, batch: Batch) -> Mapping[str, float]:
    """Return loss (nats a judged token), perplexity (its exponential) and accuracy."""
    labels = judged_labels(batch)
    loss = float(token_loss(logits, batch))
    right = (logits.argmax(-1) == labels).float().mean() if len(labels) else torch.zeros(())
    return {"loss": loss, "perplexity": perplexity(loss), "accuracy": float(right)}


def perplexity(loss: float) -> float:
    """Return exp(loss), a finite number."""
    return math.exp(min(loss, MOST))


def with_perplexity(means: Mapping[str, float]) -> dict[str, float]:
    """Return means of metrics with each perplexity as that of the mean loss: a mean of exponentials is none."""
    ending = "perplexity"
    return {
        name: perplexity(means[name.removesuffix(ending) + "loss"]) if name.endswith(ending) else value
        for name, value in means.items()
    }


class OverVocabulary:
    """What families share whose tokens the learner's own language-model head scores."""

    def head_spec(self, task: TaskInfo, hidden_size: int) -> HeadSpec:
        """Return that the learner's own head scores the vocabulary."""
        del task
        return HeadSpec(inputs=hidden_size, outputs=0, level=VOCABULARY)

    def units(self, outputs: Outputs, batch: Batch, spec: HeadSpec) -> Units:
        """Raise MetaglotError: the learner's own head scores the vocabulary, and nothing is made of the batch."""
        del outputs, batch, spec
        raise MetaglotError("a task over the vocabulary has no head of its own, so there is nothing to make one of")

    def logits(self, params: Params, outputs: Outputs, batch: Batch) -> Tensor:  # [M, V]
        """Return the scores of the judged positions."""
        del params, batch
        return judged_logits(outputs)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:  # nats a judged token
        """Return the cross-entropy of the judged tokens."""
        return token_loss(logits, batch)

    def judged(self, batch: Batch) -> int:
        """Return the number of tokens with a label, M."""
        return int((batch["labels"] != UNJUDGED).sum())

    def of_data_set(self, batch: Batch, task: TaskInfo) -> Batch:
        """Return the batch: its labels are tokens, the same in every task."""
        del task
        return batch

    def predict(self, logits: Tensor) -> Tensor:  # [M]
        """Return the likeliest token of each judged position."""
        return logits.argmax(-1)

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        """Return loss, perplexity and accuracy."""
        return token_metrics(logits, batch)

    @property
    def measures(self) -> Measures:
        """Loss, the primary one since its mean is one, then perplexity and accuracy of tokens."""
        return TOKENS
