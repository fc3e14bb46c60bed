"""Rows of tokens and tags as texts and spans; a row has lists, or strings in which spaces part the items."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

from metaglot.data.span_values import as_items
from metaglot.data.spans import Spans
from metaglot.data.tags import chunks_of, in_capitals, scheme_of
from metaglot.data.tokens import Joined, aligned, joined, spans_at
from metaglot.errors import MetaglotError

Where = Callable[[int], str]


class TaggedRows(NamedTuple):
    """Texts and their spans."""

    texts: list[str]
    spans: list[Spans | None] | None  # of each text: None where it has no tags; None in place of all: no row has tags
    notes: tuple[str, ...] = ()


def tagged_rows(
    tokens: Sequence[object], tags: Sequence[object] | None, texts: Sequence[str] | None, where: Where
) -> TaggedRows:
    """Return the text of each row, the tokens joined unless there are texts, and the spans that the tags mean.

    Tokens of nothing but white space are left out, with their tags.  Raises MetaglotError that names the row for tokens
    or tags that are no strings, tags of another number than tokens, tags with and without prefixes, and tokens that do
    not stand in their text.
    """
    sentences: list[Joined] = []
    rows: list[_Row] = []
    for row, own in enumerate(tokens):
        try:  # the place of a row may take long to find
            rows.append(_row(own, None if tags is None else tags[row]))
            sentences.append(_sentence(rows[-1].tokens, None if texts is None else texts[row]))
        except MetaglotError as error:
            raise MetaglotError(f"{where(row)}: {error}") from error
    if tags is None:
        return TaggedRows([one.text for one in sentences], None)
    named = in_capitals([own.tags or [] for own in rows])
    scheme = scheme_of(named, where)
    spans: list[Spans | None] = []
    repaired: dict[int, int] = {}
    for row, (sentence, own) in enumerate(zip(sentences, rows, strict=True)):
        chunks, repaired[row] = chunks_of(named[row], scheme)
        try:
            spans.append(None if own.tags is None else spans_at(chunks, sentence.places))
        except MetaglotError as error:
            raise MetaglotError(f"{where(row)}: {error}") from error
    return TaggedRows([one.text for one in sentences], spans, _repair_note(repaired, scheme, where))


class _Row(NamedTuple):
    tokens: list[str]
    tags: list[str] | None


def _row(value: object, tags_value: object) -> _Row:
    tokens = _items(value, "tokens")
    none = tags_value is None or (isinstance(tags_value, str) and bool(tokens) and not tags_value.strip())
    tags = None if none else _items(tags_value, "tags", ". Write tags by name, such as B-PER")
    if tags is not None and len(tags) != len(tokens):
        raise MetaglotError(
            f"{len(tokens)} tokens and {len(tags)} tags; give each token one tag, O where it is of no span"
        )
    kept = [at for at, token in enumerate(tokens) if token]
    return _Row([tokens[at] for at in kept], None if tags is None else [tags[at] for at in kept])


def _sentence(tokens: Sequence[str], text: str | None) -> Joined:
    return joined(tokens) if text is None else Joined(text, aligned(tokens, text))


def _items(value: object, name: str, way_out: str = "") -> list[str]:
    """Return the items of a list, or of a string that lists them or has them between spaces."""
    items = as_items(value)
    if isinstance(value, str) and (items is None or not all(isinstance(one, str) for one in items)):
        return [one for one in value.strip().split(" ") if one]
    if items is None:
        raise MetaglotError(f"{name} is {value!r:.60}; give a list of strings, or a string with spaces between them")
    for one in items:
        if not isinstance(one, str):
            raise MetaglotError(f"{name} has the item {one!r:.60}, which is no string{way_out}")
    return [one.strip() for one in cast("Sequence[str]", items)]


def _repair_note(repaired: dict[int, int], scheme: str, where: Where) -> tuple[str, ...]:
    rows = [row for row, count in repaired.items() if count]
    if not rows:
        return ()
    return (
        f"{sum(repaired.values())} tags of {len(rows)} sentences stand where {scheme} does not allow them, such as "
        f"I-PER behind O (the first in {where(rows[0])}): each begins a span, or ends one",
    )
