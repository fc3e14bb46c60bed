"""An objective whose loss also draws alike texts of a batch together and pushes the others away.

    L = L_objective + w · mean_i −1/|P(i)| Σ_{p∈P(i)} log softmax_{j≠i}( cos(z_i, z_j) / T )_p

P(i) are the other texts of the batch that have the target of i; texts without any are left out of the mean.
Supervised contrastive learning: Khosla et al. 2020, https://arxiv.org/abs/2004.11362; beside cross-entropy in the
fine-tuning of language models: Gunel et al. 2021, https://arxiv.org/abs/2011.01403 (there as (1 − λ, λ) of the two).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import normalize

from metaglot.metric import Measures
from metaglot.types import Batch, HeadSpec, Objective, Outputs, Params, Row, TaskInfo, Units

TEMPERATURE = 0.1  # T
FAR = -1e4  # in place of a text's likeness to itself; finite, so that a batch of one has a gradient


class Comparable(Objective, Protocol):
    """An objective on whole texts that says which texts of a batch are alike."""

    def alike(self, batch: Batch) -> Tensor:  # [B, B] bool
        """Return which examples have a target in common."""
        ...


@dataclass(frozen=True)
class WithContrast:
    """An objective for gradient steps, whose logits are those of one batch."""

    objective: Comparable
    weight: float = 1.0  # w

    @property
    def name(self) -> str:
        """The name of what it is based on."""
        return self.objective.name

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return the rows as one padded batch."""
        return self.objective.collate(rows)

    def head_spec(self, task: TaskInfo, hidden_size: int) -> HeadSpec:
        """Return the shape of the output layer: contrast needs none of its own."""
        return self.objective.head_spec(task, hidden_size)

    def units(self, outputs: Outputs, batch: Batch, spec: HeadSpec) -> Units:
        """Return what a head of this shape is made of."""
        return self.objective.units(outputs, batch, spec)

    def logits(self, params: Params, outputs: Outputs, batch: Batch) -> Tensor:  # [B, C + B]
        """Return the scores of the objective, then the cosine with each text of the batch, over T."""
        unit = normalize(outputs.pooled, dim=-1)
        return torch.cat([self.objective.logits(params, outputs, batch), unit @ unit.T / TEMPERATURE], dim=1)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:  # nats, mean over B
        """Return L."""
        own, near = self._parts(logits)
        return self.objective.loss(own, batch) + self.weight * apart(near, self.objective.alike(batch))

    def judged(self, batch: Batch) -> int:
        """Return how many units the loss of a batch is the mean of."""
        return self.objective.judged(batch)

    def of_data_set(self, batch: Batch, task: TaskInfo) -> Batch:
        """Return the batch with targets numbered as in the whole data set."""
        return self.objective.of_data_set(batch, task)

    def predict(self, logits: Tensor) -> Tensor:
        """Return the prediction for each example."""
        return self.objective.predict(self._parts(logits)[0])

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        """Return the metrics of the objective, with L as the loss."""
        own, _ = self._parts(logits)
        return {**self.objective.metrics(own, batch), "loss": float(self.loss(logits, batch))}

    @property
    def measures(self) -> Measures:
        """What the metrics of the objective are."""
        return self.objective.measures

    @staticmethod
    def _parts(logits: Tensor) -> tuple[Tensor, Tensor]:  # [B, C + B] -> [B, C], [B, B]
        scores = logits.shape[1] - len(logits)
        return logits[:, :scores], logits[:, scores:]


def apart(near: Tensor, alike: Tensor) -> Tensor:  # [B, B], [B, B] bool -> nats
    """Return the supervised contrastive loss of similarities over T; 0 where no two texts are alike."""
    itself = torch.eye(len(near), dtype=torch.bool, device=near.device)
    same = alike & ~itself
    log = near.masked_fill(itself, FAR).log_softmax(1)
    losses = -torch.where(same, log, 0.0).sum(1) / same.sum(1).clamp(min=1)
    return losses.sum() / same.any(1).sum().clamp(min=1)
