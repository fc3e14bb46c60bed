"""Classification of one text or a pair: a linear layer on the pooled features, cross-entropy, accuracy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from metaglot.families.batches import pad_rows
from metaglot.metric import LABELLED, Measures
from metaglot.models.heads import scores
from metaglot.types import Batch, HeadSpec, Outputs, Params, Row, TaskInfo, Units


@dataclass(frozen=True)
class Classification:
    """Tasks with one label a text (or pair of texts)."""

    pad_token_id: int = 0
    name: str = "classification"

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return input_ids, attention_mask [B, T] and labels [B]."""
        labels = torch.tensor([int(row["label"]) for row in rows])
        return {**pad_rows(rows, pad_token_id=self.pad_token_id), "labels": labels}

    def head_spec(self, task: TaskInfo, hidden_size: int) -> HeadSpec:
        """Return one score a label, on pooled features."""
        return HeadSpec(inputs=hidden_size, outputs=len(task.labels), level="pooled")

    def units(self, outputs: Outputs, batch: Batch, spec: HeadSpec) -> Units:
        """Return the pooled features of each text, and its label as a one-hot row."""
        labels = batch["labels"]
        targets = one_hot(labels, spec.outputs).to(outputs.pooled.dtype)
        return Units(outputs.pooled, targets, torch.arange(len(labels), device=labels.device))

    def logits(self, params: Params, outputs: Outputs) -> Tensor:  # [B, C]
        """Return pooled · head.weightᵀ + head.bias, or its counterpart in a head of another form."""
        return scores(params, outputs.pooled)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:  # nats, mean over B
        """Return the cross-entropy."""
        return cross_entropy(logits, batch["labels"])

    def judged(self, batch: Batch) -> int:
        """Return the number of examples, B."""
        return len(batch["labels"])

    def alike(self, batch: Batch) -> Tensor:  # [B, B] bool
        """Return which examples have the same label."""
        labels = batch["labels"]
        return labels[:, None] == labels

    def of_data_set(self, batch: Batch, task: TaskInfo) -> Batch:
        """Return the batch with the numbers of its classes in the data set for labels."""
        labels = batch["labels"]
        return {**batch, "labels": torch.tensor(task.classes, device=labels.device)[labels]}

    def predict(self, logits: Tensor) -> Tensor:  # [B]
        """Return the label with the highest score."""
        return logits.argmax(-1)

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        """Return loss (nats) and accuracy."""
        right = (self.predict(logits) == batch["labels"]).float().mean()
        return {"loss": float(self.loss(logits, batch)), "accuracy": float(right)}

    @property
    def measures(self) -> Measures:
        """Accuracy, the primary one, and loss."""
        return LABELLED
