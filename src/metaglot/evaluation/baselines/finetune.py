"""Fine-tuning of a scope, by default every weight, from a prototype head: the strong baseline.

    logits(x) = W f(x) / ‖f(x)‖ + b,     W₀ = scale · unit prototypes of the support set,  b₀ = 0

Where a task is not of classes, W₀ and b₀ are the linear model of frozen-lr (Kumar et al. 2022,
https://arxiv.org/abs/2202.10054: linear probing, then fine-tuning), and the loss is that of the kind of task.

AdamW on scope and head, linear warm-up and then a constant rate, dropout on, gradients clipped at norm 1, shuffled
batches.  Rate and steps are fixed for each number of shots, as in LEOPARD (a task has no validation set).
Mosbach et al. 2021, https://arxiv.org/abs/2006.04884, on fine-tuning with few examples.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from metaglot.adaptation import Encoder
from metaglot.data.examples import Examples, Inputs
from metaglot.evaluation.baselines.batch_order import shuffled_batches
from metaglot.evaluation.baselines.finetune_tokens import Steps, token_trajectory
from metaglot.evaluation.baselines.finetune_written import written_trajectory
from metaglot.evaluation.baselines.frozen_proto import prototypes
from metaglot.evaluation.baselines.method import Fitted, label_numbers, predictions_of
from metaglot.evaluation.baselines.start import Start
from metaglot.evaluation.baselines.vectors import Vectors
from metaglot.families.family import AnyFamily
from metaglot.families.records import Predictions, Schema
from metaglot.models import All, Lora
from metaglot.seeds import fold
from metaglot.types import Batch, Objective, Params


class FineTuneSettings(NamedTuple):
    """Rate and steps for a number of shots."""

    lr: float
    steps: int


FINETUNE_BY_SHOT: Mapping[int, FineTuneSettings] = MappingProxyType(
    {
        1: FineTuneSettings(1e-4, 20),
        4: FineTuneSettings(1e-4, 80),
        8: FineTuneSettings(1e-4, 20),
        16: FineTuneSettings(1e-4, 20),
    }
)
"""The settings for k shots; an absent k takes those of the next smaller one.

For 4, 8 and 16 shots the best of rates {2e-5, 5e-5, 1e-4} and steps {20, 40, 80} with MiniLM on three sets that
nothing trains on (`benchmarks/tune.py`: one draw each, 120 queries): 63.9, 68.6, 72.5 % against 58.1, 63.1, 68.9 at
the prototype start.  One shot was not tuned.  The head's scale: 5 beat 10 at 4 shots, 61.8 to 58.5 %, and tied at 16
(trec6, tweeteval-emotion, agnews).
"""


LABELS_BY_SHOT: Mapping[int, FineTuneSettings] = MappingProxyType({8: FineTuneSettings(1e-4, 40)})
NUMBERS_BY_SHOT: Mapping[int, FineTuneSettings] = MappingProxyType({8: FineTuneSettings(5e-5, 20)})
"""For several labels, 8 examples of each, and for numbers, of which shots are the examples in all (docs/tuning.md).

Rates {1e-4, 3e-4} and steps {20, 40} with MiniLM on three facets of debtags, and {5e-5, 1e-4, 3e-4} on rated reviews.
"""

EVERYTHING = All()
WRITTEN = 8  # examples of a batch at most where texts are written, whose rows are long
LINEAR_C = 10.0  # of the linear model that the head of labels or numbers begins with, as in frozen-lr


@dataclass(frozen=True)
class FineTune:
    """Fine-tuning of the parameters of `scope`, from `start`: the untouched backbone, or a multi-task checkpoint."""

    start: Encoder
    name: str = "finetune"
    scope: All | Lora | Vectors = EVERYTHING
    by_shot: Mapping[int, FineTuneSettings] = field(default_factory=lambda: FINETUNE_BY_SHOT)
    labels_by_shot: Mapping[int, FineTuneSettings] | None = None  # of several labels a text; None: as for classes
    numbers_by_shot: Mapping[int, FineTuneSettings] | None = None  # of numbers
    batch_size: int = 32
    scale: float = 5.0
    warmup: int = 5  # steps

    @classmethod
    def begin(cls, start: Start) -> "FineTune":
        """Return the baseline on the untouched backbone."""
        return tuned_by_kind(start.backbone.encoder)

    @property
    def model(self) -> str:
        """The name of the model it starts from."""
        return self.start.name

    @property
    def settings(self) -> Mapping[str, object]:
        """The recorded choices."""
        names = ("by_shot", "labels_by_shot", "numbers_by_shot")
        given: dict[str, Mapping[int, FineTuneSettings] | None] = {name: getattr(self, name) for name in names}
        tables = {n: {str(shot): list(one) for shot, one in table.items()} for n, table in given.items() if table}
        fixed = {"batch_size": self.batch_size, "scale": self.scale, "warmup": self.warmup}
        return {**tables, **fixed, **asdict(self.scope), "weights": self.start.fingerprint()}

    def why_not(self, family: AnyFamily) -> None:
        """Return None: it learns every kind of task."""
        del family

    def fit(self, support: Examples[Any], family: AnyFamily, *, shot: int, seed: int) -> Fitted:
        """Return the model trained on the support set."""
        choice = settings_for(shot, self.table_for(family))
        *_, fitted = self.trajectory(support, family, lr=choice.lr, stops=[choice.steps], seed=seed)
        return fitted

    def table_for(self, family: AnyFamily) -> Mapping[int, FineTuneSettings]:
        """Return what is tuned for a kind; shots are of a class, of a label, or of the whole task of numbers."""
        if family.exclusive or family.tokens or family.writes:
            return self.by_shot
        return (self.labels_by_shot if family.probable else self.numbers_by_shot) or self.by_shot

    def trajectory(
        self, support: Examples[Any], family: AnyFamily, *, lr: float, stops: Sequence[int], seed: int
    ) -> Iterator[Fitted]:
        """Yield the model after each number of steps in `stops`, ascending; the next one overwrites it."""
        if family.tokens is not None:
            steps = Steps(lr, self.batch_size, self.warmup, seed)
            yield from token_trajectory(
                self.start, self._start_parameters(seed), support, family, family.tokens, steps, stops
            )
            return
        if family.writes is not None:
            steps = Steps(lr, min(WRITTEN, self.batch_size), self.warmup, seed)
            body = self._start_parameters(seed)
            yield from written_trajectory(self.start, body, support, family, family.writes, steps, stops)
            return
        learner, schema = self.start.backbone.learner, family.schema(support.targets)
        objective = family.objective(schema, self.start.pad_token_id)
        targets = [family.row(target, schema) for target in support.targets]
        head = {
            name: value.to(learner.device).requires_grad_()
            for name, value in self._head(support, family, schema).items()
        }
        fitted = FineTuned(family, schema, self.start, self._start_parameters(seed), head)
        fused = learner.device.type != "mps"  # much quicker on a CPU, where the default goes parameter by parameter
        parameters = [*fitted.body.values(), *head.values()]
        optimiser = torch.optim.AdamW(parameters, lr=lr, weight_decay=0.01, fused=fused)
        batches = enumerate(shuffled_batches(len(support), self.batch_size, seed))
        done = 0
        for stop in stops:
            for step, rows in islice(batches, stop - done):
                for group in optimiser.param_groups:
                    group["lr"] = lr * min(1.0, (step + 1) / self.warmup)
                batch = self.start.batch(objective, support.inputs.at(rows), [targets[row] for row in rows])
                _step(fitted, objective, optimiser, batch, fold(seed, "dropout", step))
            done = stop
            yield fitted

    def _head(self, support: Examples[Any], family: AnyFamily, schema: Schema) -> dict[str, Tensor]:
        """Return the head at its start: weight [K, D], bias [K]."""
        features = self.start.embed(support.inputs)
        if family.exclusive:
            weight = torch.tensor(
                self.scale * prototypes(features, label_numbers(support.targets)[1]), dtype=torch.float32
            )
            return {"weight": weight, "bias": torch.zeros(len(schema.outputs))}
        linear = family.linear(features, support.targets, schema, c=LINEAR_C)
        return {name: torch.tensor(getattr(linear, name), dtype=torch.float32) for name in ("weight", "bias")}

    def _start_parameters(self, seed: int) -> dict[str, Tensor]:
        """Return copies of the scope's parameters at their start; training changes them in place."""
        body = self.start.params
        scope_parameters = self.scope.start({**body, **self.scope.init(body, seed=seed)})
        return {name: value.detach().clone().requires_grad_() for name, value in scope_parameters.items()}


def _step(fitted: "FineTuned", objective: Objective, optimiser: torch.optim.Optimizer, batch: Batch, seed: int) -> None:
    """Take one step with the parameters of `fitted`, in place; nothing else uses them."""
    pooled = fitted.start.backbone.learner.forward(fitted.params, batch, seed=seed).pooled
    loss = objective.loss(fitted.logits(pooled), batch)
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_([*fitted.body.values(), *fitted.head.values()], 1.0)
    optimiser.step()


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned body and head."""

    family: AnyFamily
    schema: Schema
    start: Encoder
    body: Params  # the trained parameters: body.* or lora.*
    head: Mapping[str, Tensor]  # weight [C, D], bias [C]

    @property
    def params(self) -> Params:
        """The parameters for the learner: those of the start, replaced by the trained ones."""
        return {**self.start.meta, **self.body}

    def logits(self, pooled: Tensor) -> Tensor:  # [B, D] → [B, C]
        """Return the scores of pooled features."""
        unit = torch.nn.functional.normalize(pooled, dim=-1)
        return unit @ self.head["weight"].T + self.head["bias"]

    def predict(self, inputs: Inputs) -> Predictions:
        """Return the probabilities or numbers, and the decisions."""
        logits = self.logits(self.start.features(self.params, inputs)).detach().double()
        values = self.family.link(logits, self.schema, self.head).cpu().numpy()
        return predictions_of(self.family, self.schema, values, self.head)


def tuned_by_kind(start: Encoder, name: str = "finetune") -> FineTune:
    """Return fine-tuning of every weight with what is tuned for each kind of task."""
    return FineTune(start, name=name, labels_by_shot=LABELS_BY_SHOT, numbers_by_shot=NUMBERS_BY_SHOT)


def settings_for(shot: int, by_shot: Mapping[int, FineTuneSettings]) -> FineTuneSettings:
    """Return the settings for `shot`: those of the largest tabulated k that is not above it, or of the smallest."""
    below = [k for k in by_shot if k <= shot]
    return by_shot[max(below) if below else min(by_shot)]
