"""The kind of task in which a text has spans with labels: from the cells of a file to scores."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metaglot.data.labels import Label, is_absent, label_text, scalar_of
from metaglot.data.spans import OUTSIDE, Span, Spans, as_cell, checked, plain_span, spans_in
from metaglot.errors import MetaglotError
from metaglot.families.family import Decision
from metaglot.families.heads.tags import CONFIDENCE, TagHead, TagUnits, followed, link_of, offsets, sentences, tag_head
from metaglot.families.of_parts import OfParts
from metaglot.families.records import (
    Aside,
    Described,
    Name,
    Places,
    Predictions,
    Read,
    Schema,
    Solved,
)
from metaglot.families.scoring import Scored
from metaglot.families.span_scores import SPAN_MEASURES, scored_spans
from metaglot.families.support_units import SupportUnits
from metaglot.families.tag_chain import chain_of, disjoint, likely_spans
from metaglot.families.tag_words import WordTools
from metaglot.families.tagging import Tagging
from metaglot.metric import Measures
from metaglot.types import Params

WAYS = "head.ways"  # [4, 3]: scores of kinds of tags beside each other
SLOPE, OFFSET = "head.slope", "head.offset"  # [], [2]: of the scores of an algorithm's own head
THRESHOLD = 0.15  # of the probability of a span (docs/results/tagging.md)
TOGETHER = 64  # texts that are decided at once


@dataclass(frozen=True)
class TaggingFamily(OfParts[Spans]):
    """The kind of task in which a text has any number of spans, each with one label."""

    parts = "spans are of the words of a text"
    name: str = "tagging"
    exclusive: None = None
    tokens: WordTools = field(default_factory=WordTools)
    shared: None = None
    writes: None = None
    probable: bool = True
    steps: int = 20
    measures: Measures = SPAN_MEASURES
    each: str = "a type"

    @property
    def decision(self) -> Decision:
        """How confident the scores of an algorithm are, and which tags follow each other, by sentences set aside."""
        return _decision

    def read(self, values: Sequence[object], name: Name) -> Read:
        """Return the spans of each text in order; raise MetaglotError for what is none, and for those that overlap."""
        plain = [scalar_of(value) for value in values]
        return Read(
            [None if is_absent(value) else checked(value, None, name(row)).spans for row, value in enumerate(plain)]
        )

    def parse(self, cells: Sequence[Label | None], name: Name) -> Read:
        """Return the spans in each cell: a list in JSON; an empty cell is not known."""
        texts = [None if cell is None else label_text(cell) for cell in cells]
        return Read([spans_in(text, name(row)) for row, text in enumerate(texts)])

    def check(self, targets: Sequence[Spans]) -> None:
        """Raise MetaglotError where no example has a span."""
        if not any(targets):
            raise MetaglotError("no example has a span; give examples with spans, such as mg.Span(0, 3, 'PER')")

    def schema(self, targets: Sequence[Spans]) -> Schema:
        """Return the labels in order, and how many examples have each."""
        return _schema(sorted({span.label for own in targets for span in own}), targets)

    def extended(self, schema: Schema, more: Sequence[Spans]) -> Schema:
        """Return the schema with more examples; new labels follow, in order."""
        whole = _schema(_following(schema, more), more)
        before = (*schema.counts, *[0] * (len(whole.counts) - len(schema.counts)))
        return whole._replace(counts=tuple(a + b for a, b in zip(before, whole.counts, strict=True)))

    def reduced(self, schema: Schema, targets: Sequence[Spans]) -> Schema:
        """Return the schema of these examples; new labels follow, in order."""
        there = {span.label for own in targets for span in own}
        return _schema([label for label in _following(schema, targets) if label in there], targets)

    def like(self, targets: Sequence[Spans], schema: Schema, name: Name) -> list[Spans]:
        """Return the spans as they are: labels are strings."""
        del schema, name
        return list(targets)

    def strata(self, targets: Sequence[Spans]) -> list[str]:
        """Return the rarest label of each; the empty string where there is none."""
        schema = self.schema(targets)
        count = dict(zip(map(label_text, schema.outputs), schema.counts, strict=True))
        return [min((s.label for s in own), key=lambda label: (count[label], label), default="") for own in targets]

    def counted(self, targets: Sequence[Spans]) -> list[tuple[str, ...]]:
        """Return the labels of each: a shot is a text that has a span with the label."""
        return [tuple(sorted({span.label for span in own})) for own in targets]

    def shown(self, target: Spans) -> str:
        """Return the spans as a list in JSON."""
        return as_cell(target)

    def plain(self, target: Spans) -> Any:
        """Return the spans as JSON."""
        return [plain_span(span) for span in target]

    def described(self, schema: Schema) -> Described:
        """Return what a card says: the labels and their examples."""
        rows = tuple((label_text(label), str(n)) for label, n in zip(schema.outputs, schema.counts, strict=True))
        return Described(
            f"A tagger of spans with {len(rows)} label{'' if len(rows) == 1 else 's'}",
            "token-classification",
            ("label", "examples"),
            rows,
            "It knows only the labels above; a span begins and ends with a word, and no two share a word.",
        )

    def columns(self, schema: Schema) -> tuple[str, ...]:
        """Return the names of the tags: O, and B- and I- of each label."""
        return (OUTSIDE, *(f"{prefix}-{label_text(label)}" for label in schema.outputs for prefix in "BI"))

    def moved(self, tensor: Tensor, old: Schema, new: Schema) -> Tensor:  # [M, K] -> [M, K']
        """Return the columns in the places of the new schema; earlier words have no label that is new."""
        moved = tensor.new_zeros(len(tensor), len(self.columns(new)))
        moved[:, [self.columns(new).index(column) for column in self.columns(old)]] = tensor
        return moved

    def objective(self, schema: Schema, pad_token_id: int) -> Tagging:
        """Return the objective of tags."""
        del schema
        return Tagging(pad_token_id)

    def solve(self, units: SupportUnits, schema: Schema, metric: str) -> Solved:
        """Return the head in closed form, calibrated on sentences that are set aside."""
        del metric
        return _solved(tag_head(_tag_units(units), len(schema.outputs)))

    def solve_after(
        self, before: SupportUnits, units: SupportUnits, schema: Schema, metric: str, *, steps: int, firmness: float
    ) -> Solved:
        """Return the head on features after gradient steps, calibrated on those from before them."""
        del metric, steps, firmness
        return _solved(tag_head(_tag_units(units), len(schema.outputs), before=_tag_units(before)))

    def floor(self, targets: Sequence[Spans], schema: Schema) -> Params:
        """Return the head by which no word is of a span: the constant of best F1 that can be."""
        del targets
        return {"head.bias": torch.tensor([0.0, *[-30.0] * (2 * len(schema.outputs))], dtype=torch.float64)}

    def link(self, scores: Tensor, schema: Schema, params: Params) -> Tensor:  # [M, K]
        """Return the probability of each tag of a word by itself; spans are decided by all words of a text."""
        if SLOPE in params:
            scores = params[SLOPE] * scores + offsets(params[OFFSET].to(scores), len(schema.outputs))
        return scores.softmax(-1)

    def decode(self, values: np.ndarray, schema: Schema, params: Params, places: Places | None = None) -> list[Spans]:
        """Return spans with their probabilities; no two share a word."""
        if places is None:
            return [()] * len(values)
        scores = torch.as_tensor(values, dtype=torch.float64).log().clamp(min=-700.0)
        ways = params[WAYS].double().cpu() if WAYS in params else torch.zeros(4, 3, dtype=torch.float64)
        chain = chain_of(ways, len(schema.outputs))
        found: list[Spans] = [()] * len(places.inputs)
        owners, counts = np.unique(places.owner, return_counts=True)
        own_rows = dict(zip(owners.tolist(), _rows_of(places.owner, counts), strict=True))
        ordered = owners[counts.argsort(kind="stable")]
        for part in (ordered[at : at + TOGETHER] for at in range(0, len(ordered), TOGETHER)):
            rows = np.concatenate([own_rows[one] for one in part.tolist()])
            owner = torch.as_tensor(places.owner[rows])
            texts = sentences(TagUnits(scores[rows], torch.zeros_like(owner), owner))
            likely = likely_spans(texts.values, texts.mask, chain, THRESHOLD)
            for one, spans in zip(np.sort(part).tolist(), likely, strict=True):
                own = own_rows[one]
                found[one] = tuple(
                    Span(
                        int(places.start[own[span.start]]),
                        int(places.end[own[span.end - 1]]),
                        label_text(schema.outputs[span.type]),
                        span.probability,
                    )
                    for span in disjoint(spans, THRESHOLD)
                )
        return found

    def fits(self, params: Params, schema: Schema) -> bool:
        """Return whether what stands beside the head is of its shape, and labels are names."""
        named = all(isinstance(label, str) for label in schema.outputs)
        shapes = {WAYS: (4, 3), SLOPE: (), OFFSET: (2,)}
        shaped = all(tuple(params[name].shape) == shape for name, shape in shapes.items() if name in params)
        return named and shaped and (SLOPE in params) == (OFFSET in params)

    def score(self, predicted: Predictions, truth: Sequence[Spans]) -> Scored:
        """Return F1 of spans, its mean over labels, and the calibration error; raise MetaglotError for odd values."""
        if len(predicted.targets) != len(truth) or not np.isfinite(predicted.values).all():
            raise MetaglotError(
                f"Predictions of {len(predicted.targets)} texts came for {len(truth)} queries, or values that are no "
                "numbers. A method must give the spans of each query."
            )
        return scored_spans(predicted.targets, truth)


def _schema(labels: Sequence[str], targets: Sequence[Spans]) -> Schema:
    return Schema(tuple(labels), tuple(sum(any(s.label == label for s in own) for own in targets) for label in labels))


def _following(schema: Schema, more: Sequence[Spans]) -> list[str]:
    """Return the labels of a schema, and behind them those that are new, in order."""
    labels = [label_text(label) for label in schema.outputs]
    return [*labels, *sorted({span.label for own in more for span in own}.difference(labels))]


def _rows_of(owner: np.ndarray, counts: np.ndarray) -> list[np.ndarray]:  # [M], [U] -> U arrays of rows
    """Return the rows of each owner, by owner, each in order."""
    return np.split(owner.argsort(kind="stable"), counts.cumsum()[:-1]) if len(counts) else []


def _tag_units(units: SupportUnits) -> TagUnits:
    return TagUnits(units.features, units.targets.argmax(1), units.owner)


def _decision(aside: Sequence[Aside], schema: Schema) -> Params:
    """Return β, o and t for the scores of an algorithm; nothing where no sentence could be set aside.

    Sentences with a label that the head was made without are left out.
    """
    parts = [_judged(one) for one in aside if one.units is not None]
    if not any(len(part.tags) for part in parts):
        return {}
    after = np.cumsum([0, *(int(part.owner.max()) + 1 if len(part.owner) else 0 for part in parts)]).tolist()
    moved = [part._replace(owner=part.owner + first) for part, first in zip(parts, after, strict=False)]
    held = TagUnits(*(torch.cat(part).cpu() for part in zip(*moved, strict=True)))
    link = link_of(held, len(schema.outputs), followed(held))
    slope = link.slope / CONFIDENCE
    return {SLOPE: slope.float(), OFFSET: link.offset.float(), WAYS: link.ways.float()}


def _judged(one: Aside) -> TagUnits:
    """Return the words set aside with their scores, as far as their sentences have no label that is new."""
    assert one.units is not None
    known = {span.label for own in one.inside for span in own}
    kept = [row for row, own in enumerate(one.outside) if all(span.label in known for span in own)]
    units = _tag_units(one.units)._replace(features=one.scores.double() / CONFIDENCE)
    return units.at(torch.isin(units.owner, torch.tensor(kept, device=units.owner.device)))


def _solved(head: TagHead) -> Solved:
    layer = {"head.weight": head.weight.float(), "head.bias": head.bias.float()}
    return Solved({**layer, WAYS: head.ways.float()}, "ridge")
