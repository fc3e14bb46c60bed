"""Spans as files have them: lists of objects or triples, in the names and the units of annotation tools."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np

from metaglot.data.literals import literal
from metaglot.data.spans import Span, Spans, checked
from metaglot.data.words import words
from metaglot.errors import MetaglotError

KEYS: Mapping[str, tuple[str, ...]] = {
    "start": ("start", "start_offset", "begin"),
    "end": ("end", "end_offset", "stop"),
    "label": ("label", "labels", "type", "entity_group", "entity", "tag"),
}
"""What tools call the parts of a span; the first that is there is taken."""


class Oddities(NamedTuple):
    """Spans of a text that were bent, by how."""

    trimmed: int = 0  # white space at an edge is left out
    converted: int = 0  # places counted in UTF-16, as JavaScript does
    inside: int = 0  # begin or end within a word

    def plus(self, other: "Oddities") -> "Oddities":
        """Return the sums."""
        return Oddities(*(a + b for a, b in zip(self, other, strict=True)))

    def notes(self) -> tuple[str, ...]:
        """Return a note on each kind."""
        notes = {
            f"{self.trimmed} spans had white space at an edge, which is left out": self.trimmed,
            f"{self.converted} spans count places as JavaScript does (UTF-16) and are read so": self.converted,
            f"{self.inside} spans begin or end within a word; whole words are learnt and predicted": self.inside,
        }
        return tuple(note for note, count in notes.items() if count)


def looks_like_spans(value: object) -> bool:
    """Whether a value is a list of at least one item, and all items look like spans."""
    items = as_items(value)
    return bool(items) and all(map(_looks_like_span, items or ()))


def as_items(value: object) -> Sequence[object] | None:
    """Return the items of a list, be it written as JSON or as Python or numpy writes it; None for what is none."""
    if isinstance(value, list | tuple):
        return cast("Sequence[object]", value)
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return None
    items = literal(value)
    return cast("list[object]", items) if isinstance(items, list) else None


def spans_of_value(value: object, text: str, where: str) -> tuple[Spans, Oddities]:
    """Return the spans that a value holds, and how many were bent; raise MetaglotError for what holds none."""
    items = as_items(value)
    if items is None:
        raise MetaglotError(f'{where} is {value!r:.60}, not a list of spans such as [[0, 3, "PER"]]')
    plain = [_plain(item, f"{where}, span number {number}") for number, item in enumerate(items, start=1)]
    whole = _counted_so([_converted(item, text) for item in plain], text)
    spans, trimmed = checked(whole, text, where)
    inside = sum(_within_word(text, span.start) or _within_word(text, span.end) for span in spans)
    return spans, Oddities(trimmed, sum(a is not b for a, b in zip(plain, whole, strict=True)), inside)


def _looks_like_span(item: object) -> bool:
    if isinstance(item, Span):
        return True
    if isinstance(item, Mapping):
        return all(_key(cast("Mapping[str, object]", item), part) for part in KEYS)
    parts = cast("Sequence[object]", item) if isinstance(item, list | tuple) else ()
    return len(parts) == 3 and all(map(_is_whole, parts[:2])) and isinstance(parts[2], str)


def _is_whole(value: object) -> bool:
    """Whether a value is a whole number of Python or numpy, or 3.0, as some programs write all numbers of JSON."""
    return type(value) is int or isinstance(value, np.integer) or (isinstance(value, float) and value.is_integer())


def _plain(item: object, where: str) -> object:
    """Return an object with the names of its parts as they are here; any other value as it is."""
    if not isinstance(item, Mapping):
        return item
    given = cast("Mapping[str, object]", item)
    keys = {part: key for part in KEYS if (key := _key(given, part))}
    if len(keys) < len(KEYS):
        return item
    plain = {part: given[key] for part, key in keys.items()}
    for part in ("start", "end"):
        value = plain[part]
        plain[part] = int(value) if isinstance(value, float) and value.is_integer() else value
    label = plain["label"]
    if isinstance(label, list):
        labels = cast("list[object]", label)
        if len(labels) != 1:
            raise MetaglotError(f"{where} has {len(labels)} labels, {labels!r:.60}; a span has one")
        plain["label"] = labels[0]
    return {**plain, **({"text": given["text"]} if isinstance(given.get("text"), str) else {})}


def _key(item: Mapping[str, object], part: str) -> str | None:
    return next((key for key in KEYS[part] if item.get(key) is not None), None)


def _converted(item: object, text: str) -> object:
    """Return an object whose places count UTF-16 units with places that count characters, where its text says so."""
    if not isinstance(item, dict) or text.isascii():
        return item
    given = cast("dict[str, object]", item)
    marked, start, end = given.get("text"), given.get("start"), given.get("end")
    if not isinstance(marked, str) or type(start) is not int or type(end) is not int or text[start:end] == marked:
        return given
    units = text.encode("utf-16-le", "surrogatepass")
    first, last = (_characters(units, place) for place in (start, end))
    return {**given, "start": first, "end": last} if text[first:last] == marked else given


def _counted_so(items: list[object], text: str) -> list[object]:
    """Return spans with places that count characters, where all of them fit the words as UTF-16 units alone."""
    if max(text, default="") < "\U00010000":
        return items
    places = [_places_of(item) for item in items]
    known = [pair for pair in places if pair is not None]
    if len(known) < len(items) or all(_fits(*pair, text) for pair in known):
        return items
    units = text.encode("utf-16-le", "surrogatepass")
    if any(2 * end > len(units) for _, end in known):
        return items
    found = [(_characters(units, start), _characters(units, end)) for start, end in known]
    return list(map(_at, items, found)) if all(_fits(*pair, text) for pair in found) else items


def _places_of(item: object) -> tuple[int, int] | None:
    """Return first and last place of a span; None where it has none, or its text beside them."""
    pair: tuple[object, object] = (None, None)
    if isinstance(item, Mapping):
        given = cast("Mapping[str, object]", item)
        pair = (given.get("start"), given.get("end")) if "text" not in given else pair
    elif isinstance(item, list | tuple) and len(cast("Sequence[object]", item)) == 3:
        pair = (item[0], item[1])
    start, end = pair
    return (start, end) if type(start) is int and type(end) is int and 0 <= start < end else None


def _characters(units: bytes, place: int) -> int:
    """Return how many characters stand before a place that counts UTF-16 units."""
    return len(units[: 2 * place].decode("utf-16-le", "replace"))


def _at(item: object, place: tuple[int, int]) -> object:
    if isinstance(item, Mapping):
        return {**cast("Mapping[str, object]", item), "start": place[0], "end": place[1]}
    return [*place, cast("Sequence[object]", item)[2]]


def _fits(start: int, end: int, text: str) -> bool:
    """Whether a span lies in its text, and begins and ends with words."""
    part = text[start:end]
    cut = _within_word(text, start) or _within_word(text, end)
    return end <= len(text) and bool(part) and part == part.strip() and not cut


def _within_word(text: str, at: int) -> bool:
    """Whether the characters before and behind a place are of one word."""
    return 0 < at < len(text) and words(text[at - 1 : at + 1])[0:1] == [(0, 2)]
