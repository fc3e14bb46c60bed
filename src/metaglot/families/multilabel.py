"""Several labels a text, or none: a linear layer on the pooled features, a binary cross-entropy a label, F1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from metaglot.families.batches import pad_rows
from metaglot.metric import MACRO_F1, Measures, least_loss, share
from metaglot.models.heads import scores
from metaglot.types import Batch, HeadSpec, Outputs, Params, Row, TaskInfo, Units

MEASURES: Measures = (MACRO_F1, share("micro_f1", "micro F1"), least_loss("loss", unit="nats a label"))
UNJUDGED = -1.0  # of a label of which is not known whether a text has it


@dataclass(frozen=True)
class MultiLabel:
    """Tasks with any number of labels a text: each label is a question of its own."""

    pad_token_id: int = 0
    name: str = "multilabel"

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return input_ids, attention_mask [B, T] and targets [B, C]: 1 for a label that a text has, 0 for the rest."""
        targets = torch.tensor([[float(value) for value in row["targets"]] for row in rows])
        return {**pad_rows(rows, pad_token_id=self.pad_token_id), "targets": targets}

    def head_spec(self, task: TaskInfo, hidden_size: int) -> HeadSpec:
        """Return one score a label, on pooled features."""
        return HeadSpec(hidden_size, len(task.labels), "pooled", "labels")

    def units(self, outputs: Outputs, batch: Batch, spec: HeadSpec) -> Units:
        """Return the pooled features of each text, and its labels as a row of zeros and ones."""
        del spec
        targets = batch["targets"].clamp(min=0).to(outputs.pooled.dtype)
        return Units(outputs.pooled, targets, torch.arange(len(targets), device=targets.device))

    def logits(self, params: Params, outputs: Outputs) -> Tensor:  # [B, C]
        """Return the log odds of each label."""
        return scores(params, outputs.pooled)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:  # nats, mean over B and the labels that are judged
        """Return the binary cross-entropy of the labels that are judged."""
        known, targets = self._judged(logits, batch)
        every = binary_cross_entropy_with_logits(known, targets.clamp(min=0).to(known.dtype), reduction="none")
        mask = targets != UNJUDGED
        return (every * mask).sum() / mask.sum().clamp(min=1)

    def judged(self, batch: Batch) -> int:
        """Return the number of labels that are judged, over all examples."""
        return int((batch["targets"] != UNJUDGED).sum())

    def alike(self, batch: Batch) -> Tensor:  # [B, B] bool
        """Return which examples have a label in common."""
        targets = batch["targets"].clamp(min=0)
        return targets @ targets.T > 0

    def of_data_set(self, batch: Batch, task: TaskInfo) -> Batch:
        """Return the batch with a target for each label of the data set up to the last that the task has.

        Labels of the data set that the task leaves out are not judged.
        """
        targets = batch["targets"]
        whole = targets.new_full((len(targets), max(task.classes) + 1), UNJUDGED)
        whole[:, list(task.classes)] = targets
        return {**batch, "targets": whole}

    def predict(self, logits: Tensor) -> Tensor:  # [B, C] bool
        """Return the labels that are likelier than not."""
        return logits > 0

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        """Return loss (nats a label), F1 over all decisions, and its mean over the labels that occur or are given."""
        known, targets = self._judged(logits, batch)
        given, true = self.predict(known) & (targets != UNJUDGED), targets == 1
        hits, both = (given & true).sum(0).double(), (given.sum(0) + true.sum(0)).double()
        there = both > 0
        macro = float((2 * hits / both.clamp(min=1))[there].mean()) if bool(there.any()) else 1.0
        micro = float(2 * hits.sum() / both.sum()) if bool(there.any()) else 1.0
        return {"loss": float(self.loss(logits, batch)), "macro_f1": macro, "micro_f1": micro}

    @property
    def measures(self) -> Measures:
        """Macro F1, the primary one, micro F1, and the loss."""
        return MEASURES

    @staticmethod
    def _judged(logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return scores and targets of the labels that the batch speaks of; a head of a data set may have more."""
        targets = batch["targets"]
        return logits[:, : targets.shape[1]], targets
