"""Choice: a text has candidates, of which one or several are right, such as the replies to a message.

    x_c = [2⟨u, v_c⟩,  2⟨ℓ, v_c⟩,  a_c/2,  √D/5 · (u + ℓ) ⊙ v_c],    p = softmax_c(w·x_c)
    L = mean over texts of −log p of their right candidates

u, ℓ and v_c are the features of the text, of its last line and of a candidate, each read by itself and of length one
(`models/several.py`); a_c says how the words of a candidate agree with those of the text.  The last line counts because
in a dialogue it is what a reply replies to.  A candidate is read once, however many texts it stands with; a text and a
candidate in one pass would cost as many passes as there are candidates of each text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from metaglot.families.candidate_tools import AGREEMENTS, BEFORE
from metaglot.families.choice_scores import MRR
from metaglot.metric import ACCURACY, LOSS, Measures
from metaglot.models.heads import scores
from metaglot.types import Batch, HeadSpec, Outputs, Params, Row, TaskInfo, Units

ALIKE = 2.0  # how much cosines weigh
AGREE = 0.5  # how much the agreement of words weighs
PRODUCT = 0.2  # how much each product of two features weighs, times √D
START = 2.5  # the score of a candidate begins as 5·(cos(u, v) + cos(ℓ, v))
FIRST = 2 + AGREEMENTS  # features of a candidate before the products
NEVER = -1e9  # the score of a candidate that is not there


@dataclass(frozen=True)
class Choosing:
    """Tasks in which one or several of the candidates of a text are right."""

    pad_token_id: int = 0
    name: str = "choice"

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return input_ids and attention_mask [B, 2 + C, T] and, of each candidate, right, there [B, C] and agreements.

        The texts of a row are the text, its last line and the candidates.
        """
        parts = max(len(row["input_ids"]) for row in rows)
        length = max(len(ids) for row in rows for ids in row["input_ids"])
        ids = np.full((len(rows), parts, length), self.pad_token_id, np.int64)
        mask = np.zeros((len(rows), parts, length), np.int64)
        right = np.zeros((len(rows), parts - BEFORE), np.int64)
        there = np.zeros((len(rows), parts - BEFORE), np.int64)
        agreements = np.zeros((len(rows), parts - BEFORE, AGREEMENTS), np.float32)
        for i, row in enumerate(rows):
            for j, own in enumerate(row["input_ids"]):
                ids[i, j, : len(own)], mask[i, j, : len(own)] = own, 1
            n = len(row["right"])
            right[i, :n], there[i, :n], agreements[i, :n] = row["right"], 1, row["agreements"]
        arrays = {"input_ids": ids, "attention_mask": mask, "right": right, "there": there, "agreements": agreements}
        return {name: torch.from_numpy(value) for name, value in arrays.items()}

    def head_spec(self, task: TaskInfo, hidden_size: int) -> HeadSpec:
        """Return the one score of a candidate, which means the same in every task."""
        del task
        begin = (START, START)
        inputs, beside = FIRST + hidden_size, 3 * hidden_size
        return HeadSpec(inputs, 1, "token", "labels", shared=self.name, begin=begin, beside=beside)

    def units(self, outputs: Outputs, batch: Batch, spec: HeadSpec) -> Units:
        """Return the candidates, with 1 for those that are right; u, ℓ and v_c stand behind their features."""
        del spec
        there = batch["there"] > 0
        features = torch.cat([candidate_features(outputs, batch), _texts_of(outputs, batch)], -1)[there]
        return Units(features, batch["right"][there][:, None].to(features.dtype), there.nonzero()[:, 0])

    def logits(self, params: Params, outputs: Outputs, batch: Batch) -> Tensor:  # [B, C]
        """Return the score of each candidate; very low ones where there is none."""
        found = scores(params, candidate_features(outputs, batch))[..., 0]
        return found.masked_fill(batch["there"] == 0, NEVER)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:  # nats, mean over texts that are judged
        """Return the cross-entropy; texts of which no right candidate is known are not judged."""
        right = batch["right"].to(logits.dtype)
        share = right / right.sum(-1, keepdim=True).clamp(min=1)
        return -(share * logits.log_softmax(-1)).sum() / max(1, self.judged(batch))

    def judged(self, batch: Batch) -> int:
        """Return the number of texts of which a right candidate is known."""
        return int(batch["right"].any(-1).sum())

    def of_data_set(self, batch: Batch, task: TaskInfo) -> Batch:
        """Return the batch: a right candidate is the same in every task."""
        del task
        return batch

    def predict(self, logits: Tensor) -> Tensor:  # [B]
        """Return the number of the best candidate of each text."""
        return logits.argmax(-1)

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        """Return accuracy, the mean reciprocal rank and the loss, over texts of which a right candidate is known."""
        known = batch["right"].any(-1)
        right, found = batch["right"][known] > 0, logits.detach()[known]
        best = found.masked_fill(~right, NEVER).max(-1, keepdim=True).values if len(found) else found
        others = batch["there"][known].bool() & ~right
        place = 1 + (others & (found >= best)).sum(-1).double()  # of equal scores the wrong one comes first
        first = {ACCURACY.name: (place == 1).double(), MRR.name: 1 / place}
        means = {name: float(value.mean()) if len(found) else 0.0 for name, value in first.items()}
        return {**means, LOSS.name: float(self.loss(logits.detach(), batch))}

    @property
    def measures(self) -> Measures:
        """Accuracy, the primary one, MRR, and the loss."""
        return (ACCURACY, MRR, LOSS)


def candidate_features(outputs: Outputs, batch: Batch) -> Tensor:  # [B, C, 2 + 6 + D]
    """Return x of every candidate; zeros where there is none."""
    hidden = _unit(outputs)
    text, last, own = hidden[:, :1], hidden[:, 1:BEFORE], hidden[:, BEFORE:]
    alike = torch.stack([(text * own).sum(-1), (last * own).sum(-1)], -1)
    product = PRODUCT * hidden.shape[-1] ** 0.5 * (text + last) * own
    whole = torch.cat([ALIKE * alike, AGREE * batch["agreements"].to(own.dtype), product], -1)
    return whole * batch["there"][..., None].to(own.dtype)


def _texts_of(outputs: Outputs, batch: Batch) -> Tensor:  # [B, C, 3 D]
    """Return the features of the text, of its last line and of the candidate, for every candidate."""
    hidden, count = _unit(outputs), batch["there"].shape[1]
    first = hidden[:, :BEFORE].flatten(1)[:, None].expand(-1, count, -1)
    return torch.cat([first, hidden[:, BEFORE:]], -1)


def _unit(outputs: Outputs) -> Tensor:  # [B, 2 + C, D], of any backbone
    hidden = outputs.hidden
    return hidden * (hidden.square().sum(-1, keepdim=True) + 1e-12).rsqrt()
