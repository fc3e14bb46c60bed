"""Spans that are marked within a text: `[Ann](PER) is in [Oslo]{"entity": "LOC"}`, as Rasa writes them.

A backslash before a bracket, a brace or a backslash makes it a plain sign.  What holds a slash is a link and no mark.

https://legacy-docs-oss.rasa.com/docs/rasa/training-data-format/#entities
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

from metaglot.data.spans import Spans, checked
from metaglot.errors import MetaglotError

_MARK = re.compile(
    r"\\(?P<sign>[\\\[\](){}])"
    r"|\[(?P<part>(?:\\.|[^\[\]\\])+)\](?:\((?P<label>(?:\\.|[^()\\/])+)\)|(?P<entity>\{[^{}]*\}))",
    re.DOTALL,
)
_ESCAPED = re.compile(r"\\([\\\[\](){}])")
_NAME = re.compile(r"[\w.:-]+")
CERTAIN = 4  # marks from which on a file may be read so unasked


class Marked(NamedTuple):
    """Texts without their marks."""

    texts: list[str]
    spans: list[Spans]
    notes: tuple[str, ...]


def marked_texts(texts: Sequence[str], where: Callable[[int], str], *, asked: bool) -> Marked | None:
    """Return texts without their marks, and the spans that were marked; None where no text has any.

    Unless it is `asked` for, so are texts of which half or more have marks, with few names that stand again and again.
    """
    labels = Counter(label for text in texts if "](" in text or "]{" in text for label in _labels(text))
    if not labels or not (asked or _is_certain(labels, texts)):
        return None
    rows: list[tuple[str, Spans]] = []
    for row, text in enumerate(texts):
        try:
            rows.append(without_marks(text, "marks"))
        except MetaglotError as error:
            raise MetaglotError(f"{where(row)}: {error}") from error
    note = f"{labels.total()} marks such as [text]({next(iter(labels))}) are read as spans, and texts are without them"
    return Marked([text for text, _ in rows], [spans for _, spans in rows], (note,))


def without_marks(text: str, where: str) -> tuple[str, Spans]:
    """Return a text without its marks, and the spans that were marked."""
    parts: list[str] = []
    spans: list[tuple[int, int, str]] = []
    length = at = 0
    for found in _MARK.finditer(text):
        label = found["sign"] or _label(found)
        plain = found["sign"] or (_unescaped(found["part"]) if label else found[0])
        before = text[at : found.start()]
        start = length + len(before)
        if label and not found["sign"]:
            spans.append((start, start + len(plain), label))
        parts += [before, plain]
        length, at = start + len(plain), found.end()
    whole = "".join([*parts, text[at:]])
    return whole, checked(spans, whole, where).spans


def with_marks(text: str, spans: Spans) -> str:
    """Return a text with its spans marked; raise MetaglotError for a label that a mark cannot have."""
    parts: list[str] = []
    at = 0
    for span in spans:
        if "/" in span.label:
            raise MetaglotError(f"the label {span.label!r:.60} has a slash, which a mark cannot have")
        marked = f"[{_escaped(text[span.start : span.end])}]({_escaped(span.label)})"
        parts += [_escaped(text[at : span.start]), marked]
        at = span.end
    return "".join([*parts, _escaped(text[at:])])


def _labels(text: str) -> list[str]:
    return [label for found in _MARK.finditer(text) if not found["sign"] and (label := _label(found))]


def _label(found: re.Match[str]) -> str:
    """Return the label of a mark; empty where it has none."""
    if found["label"]:
        return _unescaped(found["label"]).strip()
    try:
        value: object = json.loads(found["entity"] or "{}")
    except ValueError:
        return ""
    return str(cast("dict[str, object]", value).get("entity", "")) if isinstance(value, dict) else ""


def _is_certain(labels: Counter[str], texts: Sequence[str]) -> bool:
    rows = sum(bool(_labels(text)) for text in texts)
    names = all(map(_NAME.fullmatch, labels)) and not all(label.isdigit() for label in labels)
    return names and CERTAIN <= labels.total() >= 2 * len(labels) and 2 * rows >= len(texts)


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _escaped(text: str) -> str:
    return re.sub(r"([\\\[\](){}])", r"\\\1", text)
