"""From the columns of a file to the canonical ones: text, text_pair, label, domain, lang, split, part, shot, …

A format reader hands over a `Raw`: the wanted columns as lists or Arrow arrays, and where each row stands.
"""

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from metaglot.data.labels import Column, kind_of, label_text, labels_of, with_notes
from metaglot.errors import MetaglotError

STRINGS = ("text", "text_pair", "label", "domain", "lang", "split", "part")
LARGEST = 10**18  # beyond it stands a slip of the finger, or no 64 bits hold it
INTEGERS = ("shot", "draw")
CANONICAL = STRINGS + INTEGERS

Pick = Callable[[Sequence[str]], Mapping[str, str]]
"""From the columns a file has to {canonical name: column of the file}."""


class Raw(NamedTuple):
    """What a format reader found."""

    columns: Mapping[str, Sequence[object] | pa.ChunkedArray]  # by canonical name
    where: Callable[[int], str]  # row number -> "FILE, line 7"
    typed: bool = True  # False: the format has nothing but strings
    notes: tuple[str, ...] = ()  # what was odd about the rows


def parse_columns(items: Sequence[str]) -> dict[str, str]:
    """Return `["text=body,label=topic"]` or `["text=body", "label=topic"]` as a mapping."""
    mapping: dict[str, str] = {}
    for item in (part for one in items for part in one.split(",")):
        name, equals, column = item.partition("=")
        if not equals or not column.strip():
            raise MetaglotError(f"columns are given as text=COLUMN or label=COLUMN, not {item!r}.")
        mapping[name.strip()] = column.strip()
    return mapping


def picker(source: str, mapping: Mapping[str, str] | None, more: Sequence[str] = ()) -> Pick:
    """Return the function that chooses the columns to read from `source`; it raises if text is missing.

    `more` are columns of strings that are read beside the canonical ones.
    """
    wanted = dict(mapping or {})
    known = (*CANONICAL, *more)
    for name in wanted:
        if name not in known:
            raise MetaglotError(f"unknown column {name!r}{_near(name, known)}: choose from {', '.join(known)}.")

    def pick(found: Sequence[str]) -> Mapping[str, str]:
        listing = ", ".join(repr(name) for name in found)
        for name, column in wanted.items():
            if column not in found:
                raise MetaglotError(
                    f"{source}, line 1: no column {column!r} for {name}{_near(column, found)}; it has {listing}."
                )
        chosen = {name: wanted.get(name, name) for name in known if wanted.get(name, name) in found}
        if "part" not in chosen:  # a table of games may have a column draw: without part they are none of ours
            chosen = {name: column for name, column in chosen.items() if name not in INTEGERS or name in wanted}
        if "text" not in chosen:
            raise MetaglotError(
                f"{source}, line 1: no column 'text'; it has {listing}.{_separator(found)}"
                " Say which one holds the text: --columns text=COLUMN (in Python mapping={'text': 'COLUMN'})."
            )
        return chosen

    return pick


def canonical(raw: Raw) -> pa.Table:
    """Return the table of canonical columns, all strings but shot, draw and row (int64).

    Labels are in their one form (`labels.py`), and `labels.table_notes` has what was odd about them.

    Raises a MetaglotError that names the row for a missing text, a nested value or a number that is none.
    """
    columns: dict[str, pa.ChunkedArray | pa.Array] = {}
    labels = _label_column(raw) if "label" in raw.columns else Column([], ())
    for name in (n for n in dict.fromkeys((*CANONICAL, *raw.columns)) if n in raw.columns):
        values = raw.columns[name]
        if name == "label":
            texts = [None if one is None else label_text(one) for one in labels.labels]
            columns[name] = _string_column(name, texts, raw.where)
        elif isinstance(values, pa.ChunkedArray):
            columns[name] = _arrow_column(name, values, raw.where)
        elif name in INTEGERS:
            columns[name] = pa.array([_integer(name, v, raw.where, i) for i, v in enumerate(values)], pa.int64())
        else:
            columns[name] = _string_column(name, values, raw.where)
    text = columns["text"]
    if text.null_count:
        row = next(i for i, value in enumerate(text) if not value.is_valid)
        raise MetaglotError(f"{raw.where(row)}: the text is missing. Give every row a text, or leave the row out.")
    table = pa.table({**columns, "row": pa.array(range(len(text)), pa.int64())})
    return with_notes(table, (*raw.notes, *labels.notes), kind_of(labels.labels))


def _label_column(raw: Raw) -> Column:
    """Return the labels of a file."""
    values = raw.columns["label"]
    plain = _arrow_labels(values, raw.where) if isinstance(values, pa.ChunkedArray) else values
    return labels_of(plain, lambda row: f"{raw.where(row)}: label", typed=raw.typed)


def _arrow_labels(values: pa.ChunkedArray, where: Callable[[int], str]) -> list[object]:
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if pa.types.is_nested(kind):
        raise MetaglotError(f"{where(0)}: the column for label holds {kind}, not labels. Choose another column.")
    return values.to_pylist()


def _string_column(name: str, values: Sequence[object], where: Callable[[int], str]) -> pa.Array | pa.ChunkedArray:
    whole = all(v.is_integer() for v in values if isinstance(v, float) and math.isfinite(v))
    strings = [_string(name, value, whole, where, i) for i, value in enumerate(values)]
    try:
        return pa.array(strings, pa.string())
    except UnicodeEncodeError as error:
        row = next(i for i, s in enumerate(strings) if s is not None and not _encodes(s))
        raise MetaglotError(
            f"{where(row)}: {name} holds half of a surrogate pair, which is no character. Mend it."
        ) from error


def _string(name: str, value: object, whole: bool, where: Callable[[int], str], row: int) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return value
    if name in ("text", "text_pair") or not isinstance(value, bool | int | float):
        raise MetaglotError(f"{where(row)}: {name} is {value!r:.60}, not a string. Write it in quotes.")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if whole and math.isfinite(value) else str(value)


def _integer(name: str, value: object, where: Callable[[int], str], row: int) -> int | None:
    if value is None or value == "":
        return None
    try:
        number = float(str(value))
        if number.is_integer() and abs(number) < LARGEST and not isinstance(value, bool):
            return int(number)
    except (ValueError, OverflowError):
        pass
    raise MetaglotError(f"{where(row)}: {name} is {value!r:.60}, not a whole number (of at most 18 digits).")


def _arrow_column(name: str, values: pa.ChunkedArray, where: Callable[[int], str]) -> pa.ChunkedArray | pa.Array:
    """Return an Arrow column as strings (or int64); lists and structures are refused."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        strings = values.cast(pa.string())
        return canonical_integers(name, values, where) if name in INTEGERS else strings
    if pa.types.is_null(kind):
        return values.cast(pa.int64() if name in INTEGERS else pa.string())
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    if not number or name in ("text", "text_pair"):
        raise MetaglotError(f"{where(0)}: the column for {name} holds {kind}, not strings. Choose another column.")
    if name in INTEGERS:
        return canonical_integers(name, values, where)
    if pa.types.is_floating(kind):
        return _string_column(name, values.to_pylist(), where)
    return values.cast(pa.string())


def canonical_integers(name: str, values: pa.ChunkedArray, where: Callable[[int], str]) -> pa.Array:
    """Return an Arrow column of numbers or digits as int64."""
    return pa.array([_integer(name, v, where, i) for i, v in enumerate(values.to_pylist())], pa.int64())


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _near(name: str, among: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, among, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _separator(found: Sequence[str]) -> str:
    """Return a hint where the one column's name looks like a whole header of another separator."""
    if len(found) == 1:
        for mark, advice in (
            ("\t", "tabs: name it .tsv"),
            (";", "semicolons: name it .csv"),
            (",", "commas: name it .csv"),
        ):
            if mark in found[0]:
                return f" The columns seem to be separated by {advice}."
    return ""
