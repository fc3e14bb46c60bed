"""Tagging: a text has spans with labels, such as the names in it or the slots of a command.

    x_w = [h_w/‖h_w‖,  ½ h_{w−1}/‖h_{w−1}‖,  ½ h_{w+1}/‖h_{w+1}‖,  look(w)/√3],    h_w = mean state of its tokens
    L = mean over words of −log softmax(W x_w + b)_{tag}

The tags are those of `families/tag_chain.py`: O, and for each label the first word of a span and the words behind it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot, pad

from metaglot.families.batches import pad_rows
from metaglot.families.span_scores import SPAN_F1
from metaglot.families.tag_chain import likeliest, possible
from metaglot.families.tag_words import LOOKS, UNJUDGED
from metaglot.metric import LOSS, Measures
from metaglot.models.heads import scores
from metaglot.types import Batch, HeadSpec, Outputs, Params, Row, TaskInfo, Units

NEIGHBOUR = 0.5  # how much the word before and the word behind weigh
LOOK = 1 / math.sqrt(3)  # how much its look weighs
TINY = 1e-12  # beside the squared length of a state


@dataclass(frozen=True)
class Tagging:
    """Tasks with one tag a word; words with the tag −100 are not judged."""

    pad_token_id: int = 0
    name: str = "tagging"

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return the rows as one batch, padded on the right: words [B, W, 2], looks [B, W, 12], tags, others [B, W]."""
        most = max(1, *(len(row["tags"]) for row in rows))
        words = np.zeros((len(rows), most, 2), np.int64)
        looks = np.zeros((len(rows), most, LOOKS), np.float32)
        tags, others = np.full((len(rows), most), UNJUDGED), np.zeros((len(rows), most), bool)
        for i, row in enumerate(rows):
            n = len(row["tags"])
            words[i, :n], looks[i, :n], tags[i, :n] = row["words"], row["looks"], row["tags"]
            others[i, :n] = row["others"]
        own = {"words": words, "looks": looks, "tags": tags, "others": others}
        arrays = {name: torch.from_numpy(value) for name, value in own.items()}
        return {**pad_rows(rows, pad_token_id=self.pad_token_id), **arrays}

    def head_spec(self, task: TaskInfo, hidden_size: int) -> HeadSpec:
        """Return a linear layer: a word with its neighbours and its look to the tags."""
        return HeadSpec(3 * hidden_size + LOOKS, 1 + 2 * len(task.labels), "token")

    def units(self, outputs: Outputs, batch: Batch, spec: HeadSpec) -> Units:
        """Return the words that are judged, with their tags."""
        judged = batch["tags"] != UNJUDGED
        features = word_features(outputs, batch)[judged]
        targets = one_hot(batch["tags"][judged], spec.outputs).to(features.dtype)
        return Units(features, targets, judged.nonzero()[:, 0])

    def logits(self, params: Params, outputs: Outputs, batch: Batch) -> Tensor:  # [B, W, K]
        """Return W x + b of every word, or its counterpart in a head of another form."""
        return scores(params, word_features(outputs, batch))

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:  # nats, mean over judged words
        """Return the cross-entropy; 0 where no word is judged."""
        judged = batch["tags"] != UNJUDGED
        total = cross_entropy(logits[judged], batch["tags"][judged], reduction="sum")
        return total / judged.sum().clamp(min=1)

    def judged(self, batch: Batch) -> int:
        """Return the number of words that are judged."""
        return int((batch["tags"] != UNJUDGED).sum())

    def of_data_set(self, batch: Batch, task: TaskInfo) -> Batch:
        """Return the batch with the tags of the labels' numbers in the whole data set.

        Words of a label that the task leaves out are O in the task, and not judged in the whole set, which has it.
        """
        tags = batch["tags"]
        classes = torch.tensor([0, *task.classes], device=tags.device)  # those of O are not used
        place = (tags + 1).clamp(min=0) // 2
        moved = torch.where(tags > 0, 2 - tags % 2 + 2 * classes[place], tags)
        return {**batch, "tags": moved.masked_fill(batch["others"], UNJUDGED)}

    def predict(self, logits: Tensor) -> Tensor:  # [B, W]
        """Return the likeliest tags that can be."""
        everything = torch.ones(logits.shape[:2], dtype=torch.bool, device=logits.device)
        return likeliest(logits.detach(), everything, possible(logits.shape[2] // 2, logits.detach()))

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        """Return F1 of the spans of judged words, and the loss."""
        judged = batch["tags"] != UNJUDGED
        predicted, true = (spans_in(torch.where(judged, tags, 0)) for tags in (self.predict(logits), batch["tags"]))
        both = len(predicted) + len(true)
        f1 = 2 * len(predicted & true) / both if both else 1.0
        return {SPAN_F1.name: f1, LOSS.name: float(self.loss(logits, batch))}

    @property
    def measures(self) -> Measures:
        """F1 of spans, the primary one, and the loss."""
        return (SPAN_F1, LOSS)


def word_features(outputs: Outputs, batch: Batch) -> Tensor:  # [B, W, 3 D + 12]
    """Return x of every word; zeros where no token stands for it."""
    place = torch.arange(outputs.hidden.shape[1], device=outputs.hidden.device)
    first, last = batch["words"].unsqueeze(-1).unbind(2)
    among = ((place >= first) & (place < last)).to(outputs.hidden.dtype)  # [B, W, T]
    hidden = torch.where(outputs.mask[..., None] > 0, outputs.hidden, 0)  # padding may hold anything
    word = among @ hidden / among.sum(-1, keepdim=True).clamp(min=1)
    word = word * (word.square().sum(-1, keepdim=True) + TINY).rsqrt()  # with second derivatives at 0 too
    around = NEIGHBOUR * pad(word, (0, 0, 1, 1))
    return torch.cat([word, around[:, :-2], around[:, 2:], LOOK * batch["looks"].to(word.dtype)], dim=-1)


def spans_in(tags: Tensor) -> set[tuple[int, int, int, int]]:  # [B, W]
    """Return (row, first word, one after the last, label) of each span; a word behind no first one begins a span."""
    found: set[tuple[int, int, int, int]] = set()
    for row, own in enumerate(tags.tolist()):
        begun: tuple[int, int] | None = None  # the first word and the label of the span that is open
        for place, tag in enumerate([*own, 0]):
            label = (tag - 1) // 2
            goes_on = begun is not None and tag > 0 and tag % 2 == 0 and label == begun[1]
            if begun is not None and not goes_on:
                found.add((row, begun[0], place, begun[1]))
            if not goes_on:
                begun = (place, label) if tag > 0 else None
    return found
