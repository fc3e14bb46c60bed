"""Classification whose loss also draws texts of one class together and pushes others away, within a batch.

    L = cross-entropy + w · mean_i −1/|P(i)| Σ_{p∈P(i)} log softmax_{j≠i}( cos(z_i, z_j) / T )_p

P(i) are the other texts of the batch with the label of i; texts without any are left out of the mean.  Supervised
contrastive learning: Khosla et al. 2020, https://arxiv.org/abs/2004.11362; beside cross-entropy in the fine-tuning of
language models: Gunel et al. 2021, https://arxiv.org/abs/2011.01403 (there as (1 − λ, λ) of the two).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from metaglot.models.heads import scores
from metaglot.tasks.classification import Classification
from metaglot.types import Batch, Outputs, Params

TEMPERATURE = 0.1  # T
FAR = -1e4  # in place of a text's likeness to itself; finite, so that a batch of one has a gradient


@dataclass(frozen=True)
class Contrastive(Classification):
    """The family of tasks with one label a text, for gradient steps: its logits are those of one batch."""

    weight: float = 1.0  # w

    def logits(self, params: Params, outputs: Outputs) -> Tensor:  # [B, C + B]
        """Return one score a label, then the cosine with each text of the batch, over T."""
        unit = normalize(outputs.pooled, dim=-1)
        return torch.cat([scores(params, outputs.pooled), unit @ unit.T / TEMPERATURE], dim=1)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:  # nats, mean over B
        """Return L."""
        labels = batch["labels"]
        classes = logits.shape[1] - len(labels)
        return cross_entropy(logits[:, :classes], labels) + self.weight * apart(logits[:, classes:], labels)

    def predict(self, logits: Tensor) -> Tensor:  # [B]
        """Return the label with the highest score."""
        return logits[:, : logits.shape[1] - len(logits)].argmax(-1)


def apart(near: Tensor, labels: Tensor) -> Tensor:  # [B, B], [B] -> nats
    """Return the supervised contrastive loss of similarities over T; 0 where no two texts share a label."""
    itself = torch.eye(len(labels), dtype=torch.bool, device=near.device)
    same = (labels[:, None] == labels) & ~itself
    log = near.masked_fill(itself, FAR).log_softmax(1)
    found = -torch.where(same, log, 0.0).sum(1) / same.sum(1).clamp(min=1)
    return found.sum() / same.any(1).sum().clamp(min=1)
