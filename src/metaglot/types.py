"""The nouns of metaglot.

Everything is a mapping: data become tasks, a task distribution gives episodes, an algorithm adapts a learner on
the support set of an episode and is judged on its query set.  Each noun is a frozen dataclass, a NamedTuple or a
Protocol, and each arrow between them is a pure function or an iterator.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from metaglot.decoding import Continuations, Decoding
from metaglot.metric import Measures

Batch = Mapping[str, Tensor]
"""Tensors of some examples: input_ids [B, T], attention_mask [B, T], labels [B], …"""

Params = Mapping[str, Tensor]
"""Parameters by name: `body.*`, `algorithm.*`, `heads.<data set>.*`, `shared.<kind>.*`; in an inner loop also `head.*`,
`lora.*` and `prefix.*`."""

Row = Mapping[str, Any]
"""One tokenised example: input_ids (list of int), label (int), and what else its objective needs."""

Record = Mapping[str, float | int | str]
"""What is worth logging of one step on one task."""

OUTPUTS = "outputs."  # of a learner's outputs that stand in a batch


class Outputs(NamedTuple):
    """What a learner returns for a batch."""

    hidden: Tensor  # [B, T, D]
    pooled: Tensor  # [B, D]
    mask: Tensor  # [B, T], 1 where a token stands
    logits: Tensor | None = None  # [B, T, V] or [M, V] of a language-model head, or [B, C] of a task head


VOCABULARY = "vocabulary"  # the level of tasks that the learner's own language-model head scores
FEATURES = "features"  # the level of tasks that compare the features of texts, without any output layer


Targets = Literal["class", "labels", "numbers"]
"""What a unit is to be mapped to: one class of several, any number of labels, or real numbers."""


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


class Embedding(NamedTuple):
    """The input embedding of a learner."""

    name: str  # of its weight [V, D], without the prefix body.
    padding: int | None  # the row whose gradient it leaves out
    renumbers: bool = True  # whether its rows may be put in another order, with the numbers of the tokens


class Learner(Protocol):
    """A network as a function of its parameters."""

    @property
    def embedding(self) -> Embedding | None:
        """Its input embedding, or None if it looks nothing up."""
        ...

    @property
    def hidden_size(self) -> int:
        """D, the width of `pooled`."""
        ...

    @property
    def device(self) -> torch.device:
        """Where its parameters live."""
        ...

    def body(self) -> Params:
        """Return the frozen module's own parameters under the names `body.*`, detached."""
        ...

    def precise(self) -> "Learner":
        """Return the learner in full precision."""
        ...

    def forward(self, params: Params, batch: Batch, *, seed: int | None = None, logits: bool = False) -> Outputs:
        """Return the outputs for a batch with `params`; names absent come from the frozen module.

        With a seed, dropout is on and a function of it; without one, dropout is off.  With `logits` the language-model
        head scores every token [B, T, V]; where the batch has `labels` [B, T], only those positions whose label is not
        -100, [M, V] in row-major order.
        """
        ...

    def language_head(self) -> Params:
        """Return the parameters that the language-model head has for itself as `lm.*`, detached; none of a decoder."""
        ...

    def scoring(self, params: Params) -> Params:
        """Return what an inner loop may move of the language-model head without the body, as `lm.*`."""
        ...

    def score(self, params: Params, hidden: Tensor, batch: Batch, *, seed: int | None = None) -> Tensor:
        """Return the logits of `forward`, from the hidden states [B, T, D] that it gave."""
        ...

    def generate(self, params: Params, batch: Batch, decoding: Decoding, *, tokenizer: Any = None) -> Continuations:
        """Return what is written behind each prompt of the batch; stop strings need the tokenizer."""
        ...


class Objective(Protocol):
    """The tensor half of a kind of task: batches, the head, the loss, the prediction and the metrics.

    It is all that algorithms know of a kind.
    """

    @property
    def name(self) -> str:
        """Its name in recipes."""
        ...

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return the rows as one padded batch."""
        ...

    def head_spec(self, task: TaskInfo, hidden_size: int) -> HeadSpec:
        """Return the shape of the output layer that the task needs."""
        ...

    def units(self, outputs: Outputs, batch: Batch, spec: HeadSpec) -> Units:
        """Return what a head of this shape is made of: the judged units of the batch.

        Targets that are numbers are what logits should be, since heads in closed form learn them as they are.
        """
        ...

    def logits(self, params: Params, outputs: Outputs, batch: Batch) -> Tensor:
        """Return the scores, from the parameters `head.*`."""
        ...

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:  # nats, mean over what is judged
        """Return the mean loss of what is judged in the batch."""
        ...

    def judged(self, batch: Batch) -> int:
        """Return how many units the loss of a batch is the mean of: its weight wherever parts are summed."""
        ...

    def of_data_set(self, batch: Batch, task: TaskInfo) -> Batch:
        """Return the batch with targets numbered as in the whole data set, whose tasks share a head."""
        ...

    def predict(self, logits: Tensor) -> Tensor:
        """Return the prediction for each example."""
        ...

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        """Return the metrics of the batch by name."""
        ...

    @property
    def measures(self) -> Measures:
        """What these metrics are, with unit and direction; the first is the primary one."""
        ...


@dataclass(frozen=True)
class Episode:
    """One task as the learner meets it."""

    task: TaskInfo
    objective: Objective
    support: Batch
    query: Batch
    rows: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # provenance: support and query row numbers

    @property
    def family(self) -> Objective:
        """The objective, by its name in earlier versions."""
        return self.objective

    def to(self, device: torch.device) -> "Episode":
        """Return the episode with its tensors on `device`."""
        if device.type == "cpu":
            return self
        support, query = ({name: value.to(device) for name, value in b.items()} for b in (self.support, self.query))
        return replace(self, support=support, query=query)


RuleState = Mapping[str, Tensor]  # what an inner rule carries from step to step

Snapshot = Mapping[str, Tensor]
"""What a sampler has learnt so far; empty for one that does not learn."""


class TaskDistribution(Protocol):
    """A distribution over tasks, as a pure function from (seed, n, snapshot) to an episode."""

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        """Every task it can draw, whole (before classes are chosen for an episode)."""
        ...

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        """Return episode number n."""
        ...

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        """Return the snapshot after a step; a sampler that does not learn returns it unchanged."""
        ...


@dataclass(frozen=True)
class Problem:
    """A learner, an objective and a task: all that an algorithm sees of the world."""

    learner: Learner
    objective: Objective
    task: TaskInfo

    @property
    def head_spec(self) -> HeadSpec:
        """The shape of the task's output layer."""
        return self.objective.head_spec(self.task, self.learner.hidden_size)

    @property
    def over_vocabulary(self) -> bool:
        """Whether the learner's own language-model head scores the task."""
        return self.head_spec.level == VOCABULARY

    @property
    def headless(self) -> bool:
        """Whether the task has no output layer of its own to be made."""
        return self.head_spec.level in (VOCABULARY, FEATURES)

    def outputs(self, params: Params, batch: Batch, *, seed: int | None = None) -> Outputs:
        """Return the learner's outputs with the task's scores as `logits`."""
        seen, language = self._seen(batch), self.over_vocabulary
        if seen and language:
            seen = seen._replace(logits=self.learner.score(params, seen.hidden, batch, seed=seed))
        outputs = seen or self.learner.forward(params, batch, seed=seed, logits=language)
        return outputs._replace(logits=self.objective.logits(params, outputs, batch))

    def units(self, params: Params, batch: Batch, *, seed: int | None = None) -> Units:
        """Return what a head is made of on this batch."""
        outputs = self._seen(batch) or self.learner.forward(params, batch, seed=seed)
        return self.objective.units(outputs, batch, self.head_spec)

    def remembered(self, params: Params, batch: Batch, *, seed: int | None = None) -> Batch:
        """Return the batch with the learner's outputs in it, so that only the head is run from now on."""
        outputs = self.learner.forward(params, batch, seed=seed)
        return {**batch, OUTPUTS + "hidden": outputs.hidden, OUTPUTS + "pooled": outputs.pooled}

    @staticmethod
    def _seen(batch: Batch) -> Outputs | None:
        if OUTPUTS + "pooled" not in batch:
            return None
        return Outputs(batch[OUTPUTS + "hidden"], batch[OUTPUTS + "pooled"], batch["attention_mask"])

    def loss(self, params: Params, batch: Batch, *, seed: int | None = None) -> Tensor:  # nats
        """Return the mean loss of what is judged in a batch."""
        return self.objective.loss(self.logits(params, batch, seed=seed), batch)

    def logits(self, params: Params, batch: Batch, *, seed: int | None = None) -> Tensor:
        """Return the task's scores for a batch."""
        logits = self.outputs(params, batch, seed=seed).logits
        assert logits is not None
        return logits


class TraceStep(NamedTuple):
    """One step of an inner loop."""

    step: int
    loss: float  # nats, on the support set before the step


class Fast(NamedTuple):
    """What an inner loop made of a task: parameters that stand over the meta-parameters."""

    params: Params  # changed parameters and head.*
    rule_state: RuleState
    trace: tuple[TraceStep, ...]


class Budget(NamedTuple):
    """How much an adaptation may do; None means the algorithm's own default."""

    steps: int | None = None
    batch_size: int | None = None  # support examples a step, all if None


class MetaGrad(NamedTuple):
    """An estimate of the meta-gradient, whatever the method."""

    grads: Params  # by the names of the meta-parameters, zeros where unused
    records: tuple[Record, ...]


class Algorithm(Protocol):
    """A meta-learner as three functions."""

    @property
    def together(self) -> bool:
        """Whether it wants all episodes of a step in one call of `meta_grad`; else each comes alone, to save memory."""
        ...

    def init(self, learner: Learner, task_infos: Sequence[TaskInfo], *, seed: int) -> Params:
        """Return the meta-parameters to start from."""
        ...

    def adapt(self, problem: Problem, meta: Params, support: Batch, *, seed: int, budget: Budget | None = None) -> Fast:
        """Return what the support set makes of the meta-parameters; no graph is kept."""
        ...

    def meta_grad(
        self, problems: Sequence[Problem], meta: Params, episodes: Sequence[Episode], *, step: int, seed: int
    ) -> MetaGrad:
        """Return the meta-gradient: the mean over the episodes, in which each task counts the same."""
        ...
