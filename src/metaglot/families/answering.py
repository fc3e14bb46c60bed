"""Answers in passages: where in a passage the answer to a question begins and ends, or that there is none.

    x_t = [h_t/‖h_t‖, 1 at the place of "no answer"],    s = W_first x + b,  e = W_last x + b
    L = mean over windows of ½ (−log softmax(s)_first − log softmax(e)_last)

Question and passage are read together.  The softmax is over the tokens of the passage in a window and its first token,
which stands for "no answer"; the last column of W is how willing the head is to give none.  What first and last token
of an answer look like is the same in every task, so that the tasks share a head, which is meta-learnt.
Devlin et al. 2019 (BERT), https://arxiv.org/abs/1810.04805, section 4.3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from metaglot.data.answers import LONGEST
from metaglot.families.batches import pad_rows
from metaglot.families.heads.answers import ELSEWHERE, HIDDEN
from metaglot.metric import LOSS, Measures, share
from metaglot.models.heads import scores
from metaglot.types import Batch, HeadSpec, Outputs, Params, Row, TaskInfo, Units

NAME = "question-answering"
TINY = 1e-12  # beside the squared length of a state
NEVER = -1e4  # the score of a token that is no place of an answer
OVERLAP = share("token_f1", "F1 of tokens", meaning="mean over windows of F1 of the tokens of answers")


@dataclass(frozen=True)
class Answering:
    """Tasks in which each window of a passage has a first and a last token of an answer; both are 0 for none."""

    pad_token_id: int = 0
    name: str = NAME

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return the rows as one batch: the places of answers [B, T], 0 if none, and first and last token [B, 2]."""
        batch = pad_rows(rows, pad_token_id=self.pad_token_id)
        places = np.zeros(tuple(batch["input_ids"].shape), np.int64)
        for i, row in enumerate(rows):
            places[i, : len(row["places"])] = row["places"]
        answer = np.array([row["answer"] for row in rows], np.int64).reshape(-1, 2)
        return {**batch, "places": torch.from_numpy(places), "answer": torch.from_numpy(answer)}

    def head_spec(self, task: TaskInfo, hidden_size: int) -> HeadSpec:
        """Return a linear layer that all tasks share: a token to its scores as first and last token of an answer."""
        del task
        return HeadSpec(hidden_size + 1, 2, "token", "labels", shared=NAME)

    def units(self, outputs: Outputs, batch: Batch, spec: HeadSpec) -> Units:
        """Return the places of answers; the first one of a window stands for "no answer".

        It has `ELSEWHERE` in the place of 1 where the passage has an answer that the window does not show whole.
        """
        del spec
        there = batch["places"] > 0
        features = token_features(outputs)[there]
        at = torch.arange(there.shape[1], device=there.device)
        targets = (at[None, :, None] == batch["answer"][:, None]).to(features.dtype)  # [B, T, 2]
        targets = torch.where(batch["places"][..., None] == HIDDEN, ELSEWHERE * targets, targets)
        return Units(features, targets[there], there.nonzero()[:, 0])

    def logits(self, params: Params, outputs: Outputs, batch: Batch) -> Tensor:  # [B, T, 2]
        """Return the scores of each token as first and as last one."""
        every = scores(params, token_features(outputs))
        return every.masked_fill(batch["places"][..., None] == 0, NEVER)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:  # nats, mean over windows
        """Return the mean cross-entropy of first and last token."""
        return cross_entropy(logits, batch["answer"])

    def judged(self, batch: Batch) -> int:
        """Return the number of windows."""
        return len(batch["answer"])

    def of_data_set(self, batch: Batch, task: TaskInfo) -> Batch:
        """Return the batch as it is: the outputs are the same in every task."""
        del task
        return batch

    def predict(self, logits: Tensor) -> Tensor:  # [B, T, 2] -> [B, 2]
        """Return the first and the last token of the best answer of each window; 0 and 0 for none."""
        logits = logits.detach().float()
        first, last = logits.unbind(-1)
        length = logits.shape[1]
        at = torch.arange(length, device=logits.device)
        apart = at[None, :] - at[:, None]
        inside = (apart >= 0) & (apart < LONGEST) & (at[:, None] > 0)
        inside[0, 0] = True  # no answer
        both = (first[:, :, None] + last[:, None, :]).masked_fill(~inside, 4 * NEVER).flatten(1)
        best = both.argmax(1)
        return torch.stack([best // length, best % length], 1)

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        """Return F1 of the tokens of answers, and the loss."""
        found, true = self.predict(logits), batch["answer"]
        common = (torch.minimum(found[:, 1], true[:, 1]) - torch.maximum(found[:, 0], true[:, 0]) + 1).clamp(min=0)
        sizes = (found[:, 1] - found[:, 0]) + (true[:, 1] - true[:, 0]) + 2
        return {OVERLAP.name: float((2 * common / sizes).mean()), LOSS.name: float(self.loss(logits, batch))}

    @property
    def measures(self) -> Measures:
        """F1 of the tokens, the primary one, and the loss."""
        return (OVERLAP, LOSS)


def token_features(outputs: Outputs) -> Tensor:  # [B, T, D + 1]
    """Return x of every token."""
    hidden = torch.where(outputs.mask[..., None] > 0, outputs.hidden, 0)  # padding may hold anything
    unit = hidden * (hidden.square().sum(-1, keepdim=True) + TINY).rsqrt()
    none = torch.zeros_like(unit[..., :1])
    none[:, 0] = 1
    return torch.cat([unit, none], dim=-1)
