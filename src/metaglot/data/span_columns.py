"""Columns of a file that hold spans: tokens and their tags, or a text and a list of its spans, as one column of cells.

A column of tokens or of tags has lists, or strings in which spaces part the items.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias, cast

import pyarrow as pa

from metaglot.choices import Cells
from metaglot.data.labels import is_absent, scalar_of
from metaglot.data.span_marks import marked_texts
from metaglot.data.span_values import Oddities, looks_like_spans, spans_of_value
from metaglot.data.spans import as_cell
from metaglot.data.tagged_rows import tagged_rows
from metaglot.errors import MetaglotError

Values: TypeAlias = Sequence[object] | pa.ChunkedArray
Where: TypeAlias = Callable[[int], str]
KIND = "tagging"
"""The kind of task that learns spans, as `choices.FAMILIES` names it."""
ROLES = ("tokens", "tags", "spans")
"""Columns that are read where spans may be."""
_TOKENS, _TAGS, _SPANS = ("tokens", "words"), ("ner_tags", "tags", "ner"), ("spans", "entities", "labels")
_LABELS = ("labels", "label")  # may be tags too, where there is no text beside them


def may_be_spans(cells: Cells) -> bool:
    """Whether cells are read as spans, always or where they look so."""
    return cells in ("spans", "look")


class Found(NamedTuple):
    """The columns of a file without those of ROLES."""

    columns: Mapping[str, Values]
    cells: list[str | None] | None = None  # the spans of each row (`as_cell`); None: the file has no spans
    notes: tuple[str, ...] = ()


def span_roles(
    columns: Sequence[str], chosen: Mapping[str, str], wanted: Mapping[str, str], cells: Cells
) -> dict[str, str]:
    """Return {role: column of the file} for the columns that are read for their spans.

    `chosen` are the canonical columns, and `wanted` what was asked for by name.  By the look, a label beside a text is
    what is learnt.
    """
    if not may_be_spans(cells):
        return {}
    given = {role: wanted[role] for role in ROLES if role in wanted}
    if "label" in wanted and "tags" not in given and ("tokens" in given or "text" not in chosen):
        given["tags"] = wanted["label"]
    if cells == "look" and "text" in chosen and "label" in chosen:
        return given
    names = {"tokens": _TOKENS, "tags": _TAGS if "text" in chosen else (*_TAGS, *_LABELS), "spans": _SPANS}
    there = {role: next((one for one in own if one in columns), "") for role, own in names.items()}
    found = {role: column for role, column in there.items() if column} | given
    if "tokens" in found and ("tags" in found or "text" not in chosen):
        return {role: found[role] for role in ("tokens", "tags") if role in found}
    return {"spans": found["spans"]} if "spans" in given or ("spans" in found and "label" not in wanted) else {}


def read_spans(columns: Mapping[str, Values], where: Where, cells: Cells) -> Found:
    """Return the columns of a file, and its spans as cells where there are any.

    Raises MetaglotError that names the row for tags of another number than tokens, for numbers as tags, and for spans
    that are none, overlap or leave their text.
    """
    if not may_be_spans(cells):
        return Found(columns)
    rest = {name: values for name, values in columns.items() if name not in ROLES}
    if "tokens" in columns:
        return _tagged(columns, rest, where)
    source = _source(columns, cells)
    if source is not None:
        return _marked(_listed(columns[source]), rest, where)
    if "label" in columns:
        return Found(rest)
    return _inline(rest, where, asked=cells == "spans")


def _source(columns: Mapping[str, Values], cells: Cells) -> str | None:
    """Return the column that holds lists of spans; where spans are asked for, it may hold empty lists alone."""
    order = ("spans", "label") if cells == "spans" else ("label", "spans")
    names = [name for name in order if name in columns]
    marked = next((name for name in names if any(map(looks_like_spans, _listed(columns[name])))), None)
    return marked or (names[-1] if names and cells == "spans" else None)


def _tagged(columns: Mapping[str, Values], rest: Mapping[str, Values], where: Where) -> Found:
    tokens = _listed(columns["tokens"])
    tags = _listed(columns["tags"]) if "tags" in columns else None
    rows = tagged_rows(tokens, tags, _texts(rest, where) if "text" in rest else None, where)
    others = {name: values for name, values in rest.items() if name != "label"}
    if rows.spans is None:
        return Found({**others, "text": rows.texts})
    _check_single(rest, where)
    both = zip(rows.texts, rows.spans, strict=True)
    cells = [None if spans is None else as_cell(spans, text) for text, spans in both]
    return Found({**others, "text": rows.texts}, cells, rows.notes)


def _marked(values: Sequence[object], rest: Mapping[str, Values], where: Where) -> Found:
    """Return spans that count characters of the texts, of pairs those of the second ones.

    A row without a list is not known, an empty list has none.
    """
    cells: list[str | None] = []
    odd = Oddities()
    for row, (text, value) in enumerate(zip(_texts(rest, where, _spanned(rest)), values, strict=True)):
        if is_absent(scalar_of(value)):
            cells.append(None)
            continue
        try:  # the place of a row may take long to find
            spans, more = spans_of_value(value, text, "label")
        except MetaglotError as error:
            raise MetaglotError(f"{where(row)}: {error}") from error
        cells.append(as_cell(spans, text))
        odd = odd.plus(more)
    return Found({name: values for name, values in rest.items() if name != "label"}, cells, odd.notes())


def _inline(rest: Mapping[str, Values], where: Where, *, asked: bool) -> Found:
    found = marked_texts(_texts(rest, where), where, asked=asked)
    if found is None:
        return Found(rest)
    _check_single(rest, where)
    return Found({**rest, "text": found.texts}, list(map(as_cell, found.spans, found.texts)), found.notes)


def _spanned(columns: Mapping[str, Values]) -> str:
    """Return the column of the texts that have the spans."""
    return "text_pair" if "text_pair" in columns else "text"


def _check_single(columns: Mapping[str, Values], where: Where) -> None:
    """Raise MetaglotError where tags or marks are of the first texts of pairs."""
    if _spanned(columns) != "text":
        raise MetaglotError(
            f"{where(0)}: of a pair of texts the second has the spans, and here the first has them; leave the column "
            "of the second texts out, or give the spans as lists of start, end and label"
        )


def _texts(columns: Mapping[str, Values], where: Where, column: str = "text") -> list[str]:
    texts = _listed(columns[column])
    row = next((row for row, text in enumerate(texts) if not isinstance(text, str)), None)
    if row is not None:
        raise MetaglotError(
            f"{where(row)}: the text is {texts[row]!r:.60}, not a string; mend it, or leave the row out"
        )
    return cast("list[str]", texts)


def _listed(values: Values) -> list[object]:
    return _plain(values) if isinstance(values, pa.ChunkedArray) else list(values)


def _plain(values: pa.ChunkedArray) -> list[object]:
    return cast("list[object]", values.to_pylist())
