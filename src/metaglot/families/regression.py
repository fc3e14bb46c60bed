"""A number for a text: a linear layer on the pooled features, the squared error, the mean absolute error.

    L = ¼ (f(x) − t)²,   t = (y − mean)/spread

Numbers are learnt in units of their spread, so that rates and heads need not know their scale.  With the quarter, the
curvature of L in f is ½, the most that a cross-entropy has: rates that suit classes suit numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from metaglot.families.batches import pad_rows
from metaglot.metric import Measures, least_loss
from metaglot.models.heads import scores
from metaglot.types import Batch, HeadSpec, Outputs, Params, Row, TaskInfo, Units

MEASURES: Measures = tuple(least_loss(*names, unit="") for names in (("mae", "MAE"), ("rmse", "RMSE"), ("loss",)))


@dataclass(frozen=True)
class Regression:
    """Tasks with a number a text."""

    pad_token_id: int = 0
    mean: float = 0.0  # of the numbers
    spread: float = 1.0  # their standard deviation, above 0
    name: str = "regression"

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return input_ids, attention_mask [B, T] and targets [B, 1], in units of the spread."""
        targets = (torch.tensor([[float(row["target"])] for row in rows]) - self.mean) / self.spread
        return {**pad_rows(rows, pad_token_id=self.pad_token_id), "targets": targets}

    def head_spec(self, task: TaskInfo, hidden_size: int) -> HeadSpec:
        """Return one number, on pooled features."""
        del task
        return HeadSpec(hidden_size, 1, "pooled", "numbers")

    def units(self, outputs: Outputs, batch: Batch, spec: HeadSpec) -> Units:
        """Return the pooled features of each text, and its number."""
        del spec
        targets = batch["targets"].to(outputs.pooled.dtype)
        return Units(outputs.pooled, targets, torch.arange(len(targets), device=targets.device))

    def logits(self, params: Params, outputs: Outputs) -> Tensor:  # [B, 1]
        """Return the numbers, in units of the spread."""
        return scores(params, outputs.pooled)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:  # quarters of squared spreads, mean over B
        """Return L."""
        return mse_loss(logits, batch["targets"].to(logits.dtype)) / 4

    def judged(self, batch: Batch) -> int:
        """Return the number of examples, B."""
        return len(batch["targets"])

    def of_data_set(self, batch: Batch, task: TaskInfo) -> Batch:
        """Return the batch: a number is the same in every task of a set."""
        del task
        return batch

    def predict(self, logits: Tensor) -> Tensor:  # [B]
        """Return the numbers on their own scale."""
        return logits[:, 0] * self.spread + self.mean

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        """Return loss, and the mean absolute error and root of the mean squared error on the numbers' own scale."""
        wrong = self.spread * (logits - batch["targets"].to(logits.dtype))
        return {
            "loss": float(self.loss(logits, batch)),
            "mae": float(wrong.abs().mean()),
            "rmse": float(wrong.pow(2).mean().sqrt()),
        }

    @property
    def measures(self) -> Measures:
        """The mean absolute error, the primary one, the root of the mean squared error, and the loss."""
        return MEASURES
