"""The kind of task in which a text has candidates to choose from: from the cells of a file to scores."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metaglot.data.candidates import Choice, candidates_in, choice_in, choice_of, plain_choice
from metaglot.data.labels import Label
from metaglot.errors import MetaglotError
from metaglot.families.candidate_tools import WHERE, CandidateTools
from metaglot.families.choice import FIRST, START, Choosing
from metaglot.families.choice_scores import CHOICE_MEASURES, scored_choices
from metaglot.families.heads.candidates import CandidateUnits, candidate_head
from metaglot.families.of_parts import OfParts
from metaglot.families.records import Described, Name, Places, Predictions, Read, Schema, Solved
from metaglot.families.scoring import Scored
from metaglot.families.support_units import SupportUnits
from metaglot.metric import Measures
from metaglot.types import Params

RIGHT = "right"  # the one output
LARGE = 300.0  # e to so much is a number still


@dataclass(frozen=True)
class SharedChoices:
    """What examples make of the score of a candidate that all tasks share."""

    outputs: tuple[str, ...] = (RIGHT,)
    unlearnt: str = "the model has learnt no score of candidates, and begins with their likeness to the text"
    rate: float = 1.0

    def solve(self, units: SupportUnits, schema: Schema, learnt: Params) -> Solved:
        """Return the learnt head as far as the examples change it, calibrated on texts that are set aside."""
        del schema
        given = _units(units)
        start = learnt["head.weight"][0] if learnt else _likeness(given.features)
        return _solved(candidate_head(given, start.to(given.features.device)))


@dataclass(frozen=True)
class ChoiceFamily(OfParts[Choice]):
    """The kind of task in which one or several of the candidates of a text are right."""

    parts = "choices are of the candidates of a text"
    name: str = "choice"
    exclusive: None = None
    tokens: CandidateTools = field(default_factory=CandidateTools)
    shared: SharedChoices = field(default_factory=SharedChoices)
    writes: None = None
    decision: None = None
    probable: bool = True
    steps: int = 0
    measures: Measures = CHOICE_MEASURES
    each: str = ""

    def read(self, values: Sequence[object], name: Name) -> Read:
        """Return the choice of each text; raise MetaglotError for what is none."""
        return Read([choice_of(value, name(row)) for row, value in enumerate(values)])

    def parse(self, cells: Sequence[Label | None], name: Name) -> Read:
        """Return the choice in each cell: the number of a candidate, or a list of numbers; None of an empty one."""
        return Read([choice_in(cell, name(row)) for row, cell in enumerate(cells)])

    def check(self, targets: Sequence[Choice]) -> None:
        """Do nothing: a text alone has candidates that differ."""
        del targets

    def schema(self, targets: Sequence[Choice]) -> Schema:
        """Return how many texts there are."""
        return Schema((RIGHT,), (len(targets),))

    def extended(self, schema: Schema, more: Sequence[Choice]) -> Schema:
        """Return the schema with more examples."""
        return schema._replace(counts=(schema.counts[0] + len(more),))

    def reduced(self, schema: Schema, targets: Sequence[Choice]) -> Schema:
        """Return the schema of these examples."""
        del schema
        return self.schema(targets)

    def like(self, targets: Sequence[Choice], schema: Schema, name: Name) -> list[Choice]:
        """Return the choices as they are."""
        del schema, name
        return list(targets)

    def strata(self, targets: Sequence[Choice]) -> list[str]:
        """Return one group: texts have nothing that is to be spread evenly."""
        return [RIGHT] * len(targets)

    def counted(self, targets: Sequence[Choice]) -> list[tuple[str, ...]]:
        """Return that each has a choice: shots are the examples in all."""
        return [(RIGHT,)] * len(targets)

    def shown(self, target: Choice) -> str:
        """Return the number of the candidate, or a list of several in JSON."""
        return str(plain_choice(target))

    def plain(self, target: Choice) -> Any:
        """Return the number of the candidate, or a list of several."""
        return plain_choice(target)

    def described(self, schema: Schema) -> Described:
        """Return what a card says: how many examples there were."""
        return Described(
            "A model that chooses among the candidates of a text",
            "multiple-choice",
            ("of the examples", ""),
            (("texts", str(schema.counts[0])),),
            "It ranks the candidates that it is given, however bad they are, and finds none by itself.",
        )

    def columns(self, schema: Schema) -> tuple[str, ...]:
        """Return the name of the one output."""
        return tuple(map(str, schema.outputs))

    def moved(self, tensor: Tensor, old: Schema, new: Schema) -> Tensor:
        """Return the targets: they are the same in every schema."""
        del old, new
        return tensor

    def objective(self, schema: Schema, pad_token_id: int) -> Choosing:
        """Return the objective of candidates."""
        del schema
        return Choosing(pad_token_id)

    def solve(self, units: SupportUnits, schema: Schema, metric: str) -> Solved:
        """Return the head in closed form, calibrated on texts that are set aside."""
        del schema, metric
        given = _units(units)
        return _solved(candidate_head(given, _likeness(given.features)))

    def solve_after(
        self, before: SupportUnits, units: SupportUnits, schema: Schema, metric: str, *, steps: int, firmness: float
    ) -> Solved:
        """Return the head on features after gradient steps, calibrated on those from before them."""
        del schema, metric, steps, firmness
        given = _units(units)
        return _solved(candidate_head(given, _likeness(given.features), before=_units(before)))

    def floor(self, targets: Sequence[Choice], schema: Schema) -> Params:
        """Return the head by which all candidates are equally likely."""
        del targets, schema
        return {"head.bias": torch.zeros(1, dtype=torch.float64)}

    def link(self, scores: Tensor, schema: Schema, params: Params) -> Tensor:  # [M, 1]
        """Return eˢ, the weight of each candidate among those of its text; `decode` makes probabilities of them."""
        del schema, params
        return scores.clamp(-LARGE, LARGE).exp()

    def decode(self, values: np.ndarray, schema: Schema, params: Params, places: Places | None = None) -> list[Choice]:
        """Return the likeliest candidate of each text, with the probabilities of all."""
        del schema, params
        if places is None or not len(values):
            return [Choice(0)] * len(values)
        found: list[Choice] = []
        edges = np.searchsorted(places.owner, np.arange(1, len(places.inputs)))
        for own, cell in zip(np.split(values[:, 0], edges), places.inputs.pairs or (), strict=True):
            chances = own / own.sum()
            best = int(chances.argmax())
            found.append(Choice(best, (), candidates_in(cell, WHERE)[best], tuple(chances.tolist())))
        return found

    def fits(self, params: Params, schema: Schema) -> bool:
        """Return whether the one output is that of candidates."""
        del params
        return schema.outputs == (RIGHT,)

    def score(self, predicted: Predictions, truth: Sequence[Choice]) -> Scored:
        """Return accuracy, MRR, recall at 5, nDCG and the calibration error; raise MetaglotError for odd values."""
        if len(predicted.targets) != len(truth) or not len(truth) or not np.isfinite(predicted.values).all():
            raise MetaglotError(
                f"Predictions of {len(predicted.targets)} texts came for {len(truth)} queries, or values that are no "
                "numbers. A method must give a choice for each query."
            )
        return scored_choices(predicted.targets, truth)


def _units(units: SupportUnits) -> CandidateUnits:
    width = FIRST + (units.features.shape[1] - FIRST) // 4  # the text, its last line and the candidate stand behind
    own, beside = units.features[:, :width], units.features[:, width:]
    return CandidateUnits(own, units.targets[:, 0], units.owner, beside)


def _likeness(features: Tensor) -> Tensor:  # [M, F] -> [F]
    """Return the score that a model begins with: how much a candidate is like the text."""
    weight = torch.zeros(features.shape[-1], dtype=torch.float64, device=features.device)
    weight[:2] = START
    return weight


def _solved(head: Params) -> Solved:
    return Solved({name: value.float() for name, value in head.items()}, "ridge")
