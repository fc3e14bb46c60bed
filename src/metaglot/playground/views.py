"""What the page shows of an adaptation and of its predictions; no browser is needed to tell.

What there is to show is asked of the family: probabilities, parts of a text, reasons, the border of the classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from metaglot.adaptation import Adapted, Evidence
from metaglot.adaptation.evidence import tools_of
from metaglot.adaptation.scripts import language_note
from metaglot.adaptation.shared_head import learnt_head
from metaglot.adaptation.support import Support, class_names_of
from metaglot.choices import FAMILIES, Cells
from metaglot.data.candidates import as_cell
from metaglot.data.labels import label_text
from metaglot.errors import MetaglotError
from metaglot.families.classes.expected import Expected

BARS, REASONS = 6, 4  # shown at most


class Bar(NamedTuple):
    """An output and its probability."""

    name: str
    share: float


class Part(NamedTuple):
    """A piece of a text; a piece without a label is what stands between."""

    text: str
    label: str | None = None
    probability: float | None = None


class Shown(NamedTuple):
    """A prediction, as it is shown."""

    decided: str  # in words
    bars: tuple[Bar, ...] = ()  # the likeliest first
    parts: tuple[Part, ...] = ()  # of the text, or of the second text; none where nothing is marked
    reasons: tuple[Evidence, ...] = ()
    instead: str = ""  # what reasons speak against
    in_scope: float | None = None  # the probability that it is any of the classes; None where nobody can tell
    target: Any = None  # as the family has it

    @property
    def outside(self) -> bool:
        """Whether none of the classes is likelier."""
        return self.in_scope is not None and self.in_scope < 0.5


def shown(adapted: Adapted, content: str, second: str | None = None) -> Shown:
    """Return the prediction for one text; raise MetaglotError where it is empty."""
    if not content.strip():
        raise MetaglotError("there is no text; write a sentence, or click one below the field")
    second = second if second and adapted.fit.paired is not False else None
    family, texts, pairs = adapted.fit.family, [content], None if second is None else [second]
    if family.writes is not None:
        target = adapted.predictions(texts, pairs).targets[0]
        return Shown(str(target), target=target)
    if family.tokens is not None:
        target = _by_token(adapted, content, second)
        plain, words = family.tokens.beside(target, content if second is None else second)
        return Shown(words, parts=parts_of(plain, content if second is None else second), target=target)
    features = adapted.embed(texts, pairs)
    outputs, values, targets = adapted.predictions_of_features(features)
    reasons, instead = _reasons(adapted, features)
    bars = _bars(outputs, values[0]) if family.probable else ()
    decided = family.shown(targets[0]) or "–"
    return Shown(decided, bars, (), reasons, instead, _in_scope(adapted, features), targets[0])


def parts_of(plain: object, content: str) -> tuple[Part, ...]:
    """Return the text cut at the places that a target names as JSON: spans, or an answer; () where it names none."""
    items = cast("Sequence[Any]", plain) if isinstance(plain, list | tuple) else [plain]
    marked = [cast("Mapping[str, Any]", one) for one in items if isinstance(one, Mapping)]
    placed = sorted((one for one in marked if one.get("start", -1) >= 0), key=lambda one: one["start"])
    parts: list[Part] = []
    at = 0
    for one in placed:
        start, end = int(one["start"]), int(one["end"])
        parts += [Part(content[at:start])] if start > at else []
        parts.append(Part(content[start:end], str(one.get("label", "")), one.get("probability")))
        at = end
    return (*parts, *([Part(content[at:])] if at < len(content) else []))


def expected_of(adapted: Adapted) -> Expected | None:
    """Return the accuracy to expect, without what gradient steps bring unless the effort auto measured it.

    None where no class has two examples, and for another kind of task than classes.
    """
    fit = adapted.fit
    if fit.choice is not None and fit.choice.expected is not None:
        return fit.choice.expected
    if fit.family.exclusive is None or fit.units is None or not len(fit.examples):
        return None
    units = fit.units
    if not fit.effort.closed_form:  # after steps the examples are told apart by anything
        single = fit.examples.inputs.pairs is None
        names = class_names_of(fit.family, fit.schema, fit.effort, single)
        units = Support(fit.family, fit.schema, fit.examples, names).units(fit.encoder, {})
    tools = tools_of(fit, "an accuracy to expect")
    return tools.expected(units, len(fit.labels), fit.encoder.metric, gain=0.0, solver=fit.solver)


def notes_of(adapted: Adapted) -> list[str]:
    """Return what the model lacks for these texts and this kind of task, and what auto chose."""
    fit = adapted.fit
    notes = [] if fit.choice is None else [f"auto: {fit.choice.reason}"]
    if fit.family.shared is not None and not learnt_head(fit.encoder, fit.family, fit.schema):
        notes.append(f"{fit.encoder.name}: {fit.family.shared.unlearnt}")
    language = language_note(fit.encoder, fit.examples.inputs.texts)
    return [*notes, *([language] if language else [])]


def labels_of(adapted: Adapted) -> tuple[str, ...]:
    """Return the names of the outputs."""
    return tuple(label_text(label) for label in adapted.labels)


def cells_of_task(adapted: Adapted) -> Cells:
    """Return how cells of this kind of task are read."""
    kind = FAMILIES.kinds.get(adapted.fit.family.name)
    return "one" if kind is None else kind.cells


def _by_token(adapted: Adapted, content: str, second: str | None) -> Any:
    if second is not None and cells_of_task(adapted) == "candidates" and not second.lstrip().startswith("["):
        second = as_cell([line.strip() for line in second.splitlines() if line.strip()])
    return adapted.predictions([content], None if second is None else [second]).targets[0]


def _bars(outputs: Sequence[str], row: np.ndarray) -> tuple[Bar, ...]:
    order = np.argsort(-row, kind="stable")[:BARS]
    return tuple(Bar(str(outputs[i]), float(row[i])) for i in order)


def _reasons(adapted: Adapted, features: np.ndarray) -> tuple[tuple[Evidence, ...], str]:
    if adapted.fit.family.exclusive is None:
        return (), ""
    try:
        found = adapted.explain_features(features, count=REASONS)[0]
    except MetaglotError:  # a head of another form
        return (), ""
    return found.evidence, found.instead


def _in_scope(adapted: Adapted, features: np.ndarray) -> float | None:
    if adapted.fit.family.exclusive is None:
        return None
    try:
        return float(adapted.in_scope_of_features(features)[0])
    except MetaglotError:  # one example of each class, without names
        return None
