"""What passes between the nouns that do something: tensors and rows by name, and what tells of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from torch import Tensor

Batch = Mapping[str, Tensor]
"""Tensors of some examples: input_ids [B, T], attention_mask [B, T], labels [B], …"""

Params = Mapping[str, Tensor]
"""Parameters by name: `body.*`, `algorithm.*`, `heads.<data set>.*`, `shared.<kind>.*`; in an inner loop also `head.*`,
`lora.*` and `prefix.*`."""

Row = Mapping[str, Any]
"""One tokenised example: input_ids (list of int), label (int), and what else its objective needs."""

Record = Mapping[str, float | int | str]
"""What is worth logging of one step on one task."""

RuleState = Mapping[str, Tensor]  # what an inner rule carries from step to step

Snapshot = Mapping[str, Tensor]
"""What a sampler has learnt so far; empty for one that does not learn."""

Targets = Literal["class", "labels", "numbers"]
"""What a unit is to be mapped to: one class of several, any number of labels, or real numbers."""

VOCABULARY = "vocabulary"  # the level of tasks that the learner's own language-model head scores

FEATURES = "features"  # the level of tasks that compare the features of texts, without any output layer


class Outputs(NamedTuple):
    """What a learner returns for a batch."""

    hidden: Tensor  # [B, T, D]
    pooled: Tensor  # [B, D]
    mask: Tensor  # [B, T], 1 where a token stands
    logits: Tensor | None = None  # [B, T, V] or [M, V] of a language-model head, or [B, C] of a task head


class HeadSpec(NamedTuple):
    """The output layer that a task needs: a linear map from `inputs` features to `outputs` scores.

    At the level "vocabulary" there is none to make: the learner's language-model head scores all tokens; nor is there
    at the level "features".  Where outputs mean the same in every task, such as the first token of an answer, `shared`
    is the name of the head that all these tasks begin from; it is meta-learnt (`models/heads/shared.py`).
    """

    inputs: int
    outputs: int  # 0 at the level "vocabulary": as many as the learner has tokens
    # "pooled" (a text), "token" (each token), "vocabulary" (each token, over all tokens), "features" (a text, no layer)
    level: str = "pooled"
    targets: Targets = "class"
    shared: str = ""  # the head `shared.<name>.*` that is meta-learnt; empty where each task begins a head of its own
    begin: tuple[float, ...] = ()  # the weights of the first features of a shared head before it is learnt; then zeros
    beside: int = 0  # how many numbers stand behind the features of a unit, which heads with a memory read alone


class Units(NamedTuple):
    """What a head is made of: the texts of a batch, or its tokens, or the ends of its spans."""

    features: Tensor  # [M, D]
    targets: Tensor  # [M, K]: one-hot, multi-hot or real numbers
    owner: Tensor  # [M], the example of the batch that a unit is of


@dataclass(frozen=True)
class TaskInfo:
    """Where a task comes from and what its labels are called."""

    name: str  # e.g. "clinc150/travel"
    dataset: str  # the key of a persistent head, heads.<dataset>.*
    labels: tuple[str, ...]  # names of the task's classes, in the order of its label numbers
    classes: tuple[int, ...]  # for each of them its number in the whole data set
    family: str = "classification"
