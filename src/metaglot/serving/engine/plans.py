"""How a request is answered: which passages it needs, and what becomes of them.

Which of the plans a task has is asked of its family: whether a text has many units (`tokens`), and whether one is
written (`writes`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from metaglot.adaptation.arguments import check_decoding
from metaglot.adaptation.token_units import places_of, window_units, windows_of
from metaglot.data.windows import Window
from metaglot.families.records import Predictions
from metaglot.families.token_tools import TokenTools
from metaglot.serving.engine.reading import Passage, Read, Reading, passage_of
from metaglot.serving.engine.request import Answer, Request, likeliest
from metaglot.types import Outputs


class Plan(Protocol):
    """What a request needs and how it is answered."""

    def gather(self, reading: Reading) -> None:
        """Note what is to be read."""
        ...

    def answer(self, reading: Reading) -> Answer:
        """Return the answer, from what was read."""
        ...


def plan_of(request: Request) -> Plan:
    """Return the plan of a request; its texts become tokens here.

    Raises MetaglotError for texts that the task cannot read.
    """
    family = request.task.fit.family
    if family.writes is not None:
        return Writing(request)
    return WholeTexts.of(request) if family.tokens is None else InUnits.of(request, family.tokens)


@dataclass(frozen=True, eq=False)
class WholeTexts:
    """A text is one unit: its pooled feature decides."""

    request: Request
    parts: Sequence[Sequence[Passage]]  # by what reads them: three where pairs are read apart

    @staticmethod
    def of(request: Request) -> "WholeTexts":
        """Return the plan."""
        if not len(request.inputs):
            return WholeTexts(request, [[]])
        readers = request.task.fit.encoder.readers(request.inputs)
        return WholeTexts(request, [[passage_of(row) for row in one.rows(request.inputs)] for one in readers])

    def gather(self, reading: Reading) -> None:
        """Note the texts."""
        for passages in self.parts:
            reading.gather(passages, tokens=False)

    def answer(self, reading: Reading) -> Answer:
        """Return the answer: predictions, and what else is wanted."""
        task, options = self.request.task, self.request.options
        parts = [reading.pooled(passages) for passages in self.parts]
        if not len(self.request.inputs):
            parts = [parts[0].new_zeros(0, task.fit.encoder.width)]
        features = task.fit.encoder.joined(self.request.inputs, parts).cpu().numpy()
        found = task.predictions_of_features(features)
        targets, inside = list(found.targets), None
        if options.unknown is not None:
            inside = task.in_scope_of_features(features)
            targets = [one if p >= 0.5 else options.unknown for one, p in zip(targets, inside, strict=True)]
        told = task.explain_features(features, count=options.explain) if options.explain else None
        named = task.fit.family.probable
        top = likeliest(found.outputs, found.values, options.top_k) if named else [[] for _ in targets]
        return Answer(targets, found.outputs, found.values, top, inside, told)


@dataclass(frozen=True, eq=False)
class InUnits:
    """A text has many units: it is read in windows, and each window is a row, or several texts that make one."""

    request: Request
    tools: TokenTools[Any]
    cut: Sequence[Window]

    @staticmethod
    def of(request: Request, tools: TokenTools[Any]) -> "InUnits":
        """Return the plan."""
        return InUnits(request, tools, windows_of(request.task.fit.encoder, tools, request.inputs))

    def gather(self, reading: Reading) -> None:
        """Note the windows."""
        for window in self.cut:
            reading.gather(passages_of(window), tokens=not _several(window))

    def answer(self, reading: Reading) -> Answer:
        """Return the answer."""
        fit = self.request.task.fit
        learner = reading.learner
        spec = fit.encoder.problem(fit.family, fit.schema).head_spec
        features = [torch.zeros(0, spec.inputs + spec.beside, device=learner.device)]
        for window in self.cut:
            outputs = outputs_of(window, [reading.found[one] for one in passages_of(window)])
            units = window_units(fit.encoder, fit.family, self.tools, fit.schema, window, outputs)
            features.append(units.features.float())
        places = places_of(self.request.inputs, self.cut, self.tools)
        return plain_answer(fit.predictions(torch.cat(features).cpu().numpy(), places))


def passages_of(window: Window) -> list[Passage]:
    """Return what is read of a window: its row, or each text of it."""
    if not _several(window):
        return [passage_of(window.tokens)]
    return [Passage(tuple(ids)) for ids in window.tokens["input_ids"]]  # pyright: ignore[reportArgumentType]


def outputs_of(window: Window, read: Sequence[Read]) -> Outputs:
    """Return what a learner gives for a window as a batch of one; of several texts, their features (`several.py`)."""
    pooled = torch.stack([one.pooled for one in read])
    hidden: Tensor | None = pooled if _several(window) else read[0].hidden
    assert hidden is not None, "the tokens of a window were not asked"
    mask = torch.ones(1, len(hidden), dtype=torch.int64, device=hidden.device)
    return Outputs(hidden[None], pooled[:1], mask)


def _several(window: Window) -> bool:
    return isinstance(window.tokens["input_ids"][0], list)


@dataclass(frozen=True, eq=False)
class Writing:
    """A text is written: by itself, since each token waits for the one before."""

    request: Request

    def gather(self, reading: Reading) -> None:
        """Note nothing."""
        del reading

    def answer(self, reading: Reading) -> Answer:
        """Return the answer."""
        del reading
        fit = self.request.task.fit
        decoding = check_decoding(fit.family, self.request.options.max_new_tokens, None)
        return plain_answer(fit.predict(self.request.inputs, decoding=decoding))


def plain_answer(found: Predictions) -> Answer:
    """Return predictions as an answer; outputs of texts have no probabilities."""
    return Answer(list(found.targets), found.outputs, found.values, [[] for _ in found.targets])
