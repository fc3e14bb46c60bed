"""Taggers whose head begins as zeros, or as the head of a multi-task run, beside those in closed form."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from metaglot.adaptation import Effort, Encoder
from metaglot.adaptation.fit import Fit
from metaglot.adaptation.token_units import token_units
from metaglot.data.examples import Examples
from metaglot.data.folders import read_run
from metaglot.data.labels import label_text
from metaglot.evaluation.baselines.finetune_tokens import Steps, token_trajectory
from metaglot.evaluation.baselines.method import Fitted
from metaglot.families.family import AnyFamily
from metaglot.families.heads.tags import CONFIDENCE, TagUnits, followed, link_of, offsets
from metaglot.families.records import Schema
from metaglot.families.tagging_family import WAYS
from metaglot.training.checkpoint import load_params
from metaglot.types import Params

SCALE = 10.0  # of the scores of a multi-task head (`Joint.scale`)
HeadStart = Callable[[Encoder, AnyFamily, Schema], Params]
"""The head that a method begins with."""


class Rates(NamedTuple):
    """Steps of a fine-tune, and their rates."""

    steps: int
    lr: float
    head_lr: float
    batch_size: int = 16
    warmup: int = 5


def zeros(encoder: Encoder, family: AnyFamily, schema: Schema) -> Params:
    """Return a head whose scores are all 0; which tags cannot follow each other is known."""
    spec = encoder.problem(family, schema).head_spec
    return {
        "head.weight": torch.zeros(spec.outputs, spec.inputs),
        "head.bias": torch.zeros(spec.outputs),
        WAYS: torch.zeros(4, 3),
    }


def of_run(run: str | Path, data_set: str, labels: tuple[str, ...]) -> HeadStart:
    """Return the head that a run of the algorithm joint has for a data set, whose labels are given in order."""
    learnt = load_params(read_run(Path(run)).checkpoint, device=torch.device("cpu"))
    weight, bias = (SCALE * learnt[f"heads.{data_set}.{name}"] for name in ("weight", "bias"))

    def start(encoder: Encoder, family: AnyFamily, schema: Schema) -> Params:
        del encoder, family
        rows = rows_of(labels, [label_text(label) for label in schema.outputs])
        return {"head.weight": weight[rows], "head.bias": bias[rows], WAYS: torch.zeros(4, 3)}

    return start


def rows_of(labels: Sequence[str], outputs: Sequence[str]) -> list[int]:
    """Return the rows of a head of all labels that tell O and the tags of some of them."""
    places = [labels.index(label) for label in outputs]
    return [0, *(1 + 2 * place + behind for place in places for behind in (0, 1))]


@dataclass(frozen=True)
class HeadedFineTune:
    """Fine-tuning that begins from a head; parameters that have a part of `freeze` in their names stay."""

    start: Encoder
    name: str
    head: HeadStart | None  # None: in closed form
    by_shot: Mapping[int, Rates]
    freeze: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.start.name

    @property
    def settings(self) -> Mapping[str, object]:
        """The recorded choices."""
        own = {str(shot): list(rates) for shot, rates in self.by_shot.items()}
        return {"by_shot": own, "freeze": list(self.freeze), "weights": self.start.fingerprint()}

    def why_not(self, family: AnyFamily) -> str | None:
        """Return the reason why it cannot learn other kinds of tasks."""
        return None if family.name == "tagging" else "its head is of words"

    def fit(self, support: Examples[Any], family: AnyFamily, *, shot: int, seed: int) -> Fitted:
        """Return the model after its steps."""
        rates = self.by_shot[shot]
        *_, fitted = self.trajectory(support, family, rates, [rates.steps], seed=seed)
        return fitted

    def trajectory(
        self, support: Examples[Any], family: AnyFamily, rates: Rates, stops: list[int], *, seed: int
    ) -> Any:
        """Yield the model after each number of steps in `stops`; the next one overwrites it."""
        assert family.tokens is not None
        kept = {
            name: value for name, value in self.start.params.items() if not any(part in name for part in self.freeze)
        }
        body: dict[str, Tensor] = {name: value.detach().clone().requires_grad_() for name, value in kept.items()}
        head = None if self.head is None else self.head(self.start, family, family.schema(support.targets))
        steps = Steps(rates.lr, rates.batch_size, rates.warmup, seed, rates.head_lr)
        yield from token_trajectory(self.start, body, support, family, family.tokens, steps, stops, head=head)


@dataclass(frozen=True)
class Transferred:
    """The head of a multi-task run on a task that it did not see, whose labels it knows.

    `calibrated`: how confident it is, and which tags follow each other, are found on the support set, nothing else.
    """

    start: Encoder
    name: str
    head: HeadStart
    calibrated: bool

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.start.name

    @property
    def settings(self) -> Mapping[str, object]:
        """The recorded choices."""
        return {"calibrated": self.calibrated, "weights": self.start.fingerprint()}

    def why_not(self, family: AnyFamily) -> str | None:
        """Return the reason why it cannot learn other kinds of tasks."""
        return None if family.name == "tagging" else "its head is of words"

    def fit(self, support: Examples[Any], family: AnyFamily, *, shot: int, seed: int) -> Fitted:
        """Return the head, calibrated on the support set or as it is."""
        del shot
        schema = family.schema(support.targets)
        params = self.head(self.start, family, schema)
        if self.calibrated:
            params = self._calibrated(params, support, family, schema)
        return Fit(self.start, family, schema, params, Effort(steps=0), seed, paired=False)

    def _calibrated(self, params: Params, support: Examples[Any], family: AnyFamily, schema: Schema) -> Params:
        assert family.tokens is not None
        units = token_units(self.start, {}, family, family.tokens, schema, support.inputs, support.targets).units
        weight, bias = params["head.weight"].double(), params["head.bias"].double()
        scores = (units.features.double() @ weight.T + bias) / CONFIDENCE
        own = TagUnits(scores, units.targets.argmax(1), units.owner)
        link = link_of(own, len(schema.outputs), followed(own))
        slope = link.slope / CONFIDENCE
        moved = slope * bias + offsets(link.offset, len(schema.outputs))
        return {
            "head.weight": (slope * weight).float(),
            "head.bias": moved.float(),
            WAYS: link.ways.float(),
        }
