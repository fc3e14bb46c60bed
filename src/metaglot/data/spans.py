"""Spans: parts of a text that have a label, such as the names in a sentence.

The target of a text is a tuple of spans in the order of the text, of which no two share a character; () where a text
has none, and None where it is not known what it has.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple, TypeAlias, cast

from metaglot.data.labels import Wrapped, normal
from metaglot.errors import MetaglotError

OUTSIDE = "O"  # what tags call a token of no span
FORMS = 'a Span, (start, end, label) or {"start": 0, "end": 3, "label": "PER"}'


@dataclass(frozen=True)
class Span:
    """A part of a text with a label, such as the name of a person.

    Parameters
    ----------
    start : int
        The place of its first character in the text, from 0.
    end : int
        The place behind its last character.
    label : str
        What it is, such as "PER".
    probability : float, optional
        How likely it is, from 0 to 1, where it was predicted.  Spans are equal whatever it is.

    Examples
    --------
    >>> import metaglot as mg
    >>> text = "Ann is in Oslo"
    >>> span = mg.Span(10, 14, "CITY", probability=0.75)
    >>> text[span.start : span.end]
    'Oslo'
    >>> span == mg.Span(10, 14, "CITY")
    True
    """

    start: int
    end: int
    label: str
    probability: float | None = field(default=None, compare=False)


Spans: TypeAlias = tuple[Span, ...]
"""The spans of a text, in its order, of which no two share a character."""


class Checked(NamedTuple):
    """Spans in their one form."""

    spans: Spans
    trimmed: int  # how many had white space at an edge, which is left out


def checked(values: object, text: str | None, where: str) -> Checked:
    """Return the spans of a text in order, each once, without the white space at their edges.

    A value is a Span, (start, end, label), or a mapping with these keys; what else it holds is left out, but for
    `text`, which must be the part of the text that it marks.  Without a text, its length and white space are not
    known.  Raises MetaglotError, which begins with `where`, for any other value, for spans that are empty, leave the
    text or share a character, and for a label that is no name.
    """
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise MetaglotError(f"{where} is {values!r:.60}, not a list of spans; give a list, each {FORMS}")
    items = enumerate(cast("Iterable[object]", values), start=1)
    whole = [_one(value, text, f"{where}, span number {number}") for number, value in items]
    spans = whole if text is None else [_trimmed(span, text) for span in whole]
    ordered = sorted(dict.fromkeys(spans), key=lambda span: (span.start, span.end, span.label))
    for first, second in pairwise(ordered):
        if second.start < first.end:
            raise MetaglotError(
                f"{where}: the spans {_shown(first, text)} and {_shown(second, text)} overlap; keep one of them, such "
                "as the longer one, or learn each label from a file of its own"
            )
    return Checked(tuple(ordered), sum(a != b for a, b in zip(whole, spans, strict=True)))


def plain_span(span: Span, text: str | None = None) -> dict[str, object]:
    """Return a span as JSON; with its text and its probability where they are known."""
    plain: dict[str, object] = {"start": span.start, "end": span.end, "label": span.label}
    if text is not None:
        plain["text"] = text[span.start : span.end]
    return plain if span.probability is None else {**plain, "probability": span.probability}


def as_cell(spans: Sequence[Span], text: str | None = None) -> str:
    """Return spans as a cell of a file has them: a list of JSON; with the parts of the text where it is given."""
    return json.dumps([plain_span(span, text) for span in spans], ensure_ascii=False)


def texts_in(cell: str, spans: Spans) -> list[str]:
    """Return the part of the text of each span of a cell, as `as_cell` puts it there; "" where there is none."""
    items = [cast("dict[str, object]", one) for one in cast("list[object]", json.loads(cell)) if isinstance(one, dict)]
    parts = {(one.get("start"), one.get("end")): str(one.get("text", "")) for one in items}
    return [parts.get((span.start, span.end), "") for span in spans]


def spans_in(cell: str | None, where: str, text: str | None = None) -> Spans | None:
    """Return the spans of a cell, None of an empty one; raise MetaglotError for a cell that holds none."""
    if cell is None or not cell.strip():
        return None
    try:
        values: object = json.loads(cell)
    except (ValueError, RecursionError) as error:
        raise MetaglotError(f"{where} is {cell!r:.60}, not spans in JSON: a list, each {FORMS}") from error
    return checked(values, text, where).spans


def _one(value: object, text: str | None, where: str) -> Span:
    """Return a value as a span that lies in the text and is not empty."""
    start, end, name, probability, marked = _parts(value, where)
    first, last = _place(start, f"{where}: start"), _place(end, f"{where}: end")
    label = normal(name) if isinstance(name, str) else None
    if label is None or label == OUTSIDE:
        raise MetaglotError(f"{where} has the label {name!r:.60}, which is no name; give a string such as 'PER'")
    if first >= last:
        raise MetaglotError(
            f"{where} goes from {first} to {last}, so it is empty; end is the place behind the last sign"
        )
    if text is not None and last > len(text):
        raise MetaglotError(
            f"{where} goes from {first} to {last}, and the text has {len(text)} characters; count characters, not bytes"
        )
    if text is not None and not text[first:last].strip():
        raise MetaglotError(f"{where} goes from {first} to {last}, where the text has white space alone; mend it")
    if text is not None and isinstance(marked, str) and marked != text[first:last]:
        raise MetaglotError(
            f"{where} says that its text is {marked!r:.60}, and from {first} to {last} is {text[first:last]!r:.60};"
            " count characters, not bytes, in the text as it stands"
        )
    return Span(first, last, label, _probability(probability, where))


def _parts(value: object, where: str) -> tuple[object, object, object, object, object]:
    """Return start, end, label, probability and text of a value."""
    if isinstance(value, Span):
        return value.start, value.end, value.label, value.probability, None
    if isinstance(value, Mapping):
        given = cast("Mapping[str, object]", value)
        if all(name in given for name in ("start", "end", "label")):
            return given["start"], given["end"], given["label"], given.get("probability"), given.get("text")
    if isinstance(value, list | tuple):
        items = cast("Sequence[object]", value)
        if len(items) == 3:
            return items[0], items[1], items[2], None, None
    raise MetaglotError(f"{where} is {value!r:.60}, which is no span; give {FORMS}")


def _place(value: object, where: str) -> int:
    if type(value) is not int and isinstance(value, Wrapped) and value.ndim == 0:
        value = value.item()
    if isinstance(value, float) and value.is_integer():  # some programs write all numbers of JSON so
        value = int(value)
    if type(value) is not int or value < 0:
        raise MetaglotError(f"{where} is {value!r:.60}, not a place in the text; give a whole number from 0")
    return value


def _probability(value: object, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, Wrapped) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise MetaglotError(f"{where} has the probability {value!r:.60}; give a number from 0 to 1, or leave it out")
    return float(value)


def _trimmed(span: Span, text: str) -> Span:
    """Return a span without white space at its edges; it marks more than that."""
    part = text[span.start : span.end]
    start = span.end - len(part.lstrip())
    return replace(span, start=start, end=start + len(part.strip()))


def _shown(span: Span, text: str | None) -> str:
    """Return a span as errors name it."""
    part = "" if text is None else f" {text[span.start : span.end]!r:.60}"
    return f"{span.label}{part} ({span.start} to {span.end})"
