"""From the columns of a file to the canonical ones: text, text_pair, label, domain, lang, split, part, shot, …

A format reader hands over a `Raw`: the wanted columns as lists or Arrow arrays, and where each row stands.
"""

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from metaglot.choices import Cells
from metaglot.data.form import Form, with_form
from metaglot.data.label_lists import has_lists, list_cells
from metaglot.data.labels import LISTS, Column, kind_of, label_text, labels_of, with_notes
from metaglot.data.target_columns import TARGET_ROLES, asked_roles, kind_hint, may_read, read_targets, target_roles
from metaglot.errors import MetaglotError

STRINGS = ("text", "text_pair", "label", "domain", "lang", "split", "part")
LARGEST = 10**18  # beyond it stands a slip of the finger, or no 64 bits hold it
INTEGERS = ("shot", "draw")
CANONICAL = STRINGS + INTEGERS


@dataclass(frozen=True)
class Pick:
    """What is asked of a file: which of its columns is which, and how its text is encoded."""

    source: str
    mapping: Mapping[str, str]  # {canonical name: column of the file, or its number from 1}
    names: tuple[str, ...]  # the names that columns may have
    encoding: str | None = None  # None: UTF-8, or UTF-16 with a mark
    own: str = ""  # where it is not empty: every column of the file is picked too, by its name behind this prefix
    cells: Cells = "one"
    asking: bool = False  # what is right is not read, where that is told apart from the texts

    @property
    def numbered(self) -> bool:
        """Whether all columns are given by number, as of a file without a header."""
        return bool(self.mapping) and all(map(_is_number, self.mapping.values()))

    def fits(self, columns: Sequence[str]) -> bool:
        """Whether these columns hold all that is asked for."""
        try:
            return bool(self(columns))
        except MetaglotError:
            return False

    def __call__(self, columns: Sequence[str]) -> Mapping[str, str]:
        """Return {canonical name: column of the file} for the columns that a file has.

        Raises MetaglotError for a column that is not there, and where none holds the text.
        """
        listing = ", ".join(repr(name) for name in columns)
        wanted = {name: _named(column, columns) for name, column in self.mapping.items()}
        for name, column in wanted.items():
            if column not in columns:
                raise MetaglotError(
                    f"{self.source}, line 1: no column {column!r} for {name}{near_name(column, columns)}; it has "
                    f"{listing}."
                )
        chosen = {name: wanted.get(name, name) for name in self.names if wanted.get(name, name) in columns}
        if "part" not in chosen:  # a table of games may have a column draw: without part they are none of ours
            chosen = {name: column for name, column in chosen.items() if name not in INTEGERS or name in wanted}
        chosen |= target_roles(columns, chosen, wanted, self.cells)
        if not {"text", "tokens", "messages"} & chosen.keys():
            raise MetaglotError(
                f"{self.source}, line 1: no column 'text'{near_name('text', columns)}; it has {listing}."
                f"{_separator(columns)}{kind_hint(columns, self.cells)}"
                " Say which one holds the text: --columns text=COLUMN (in Python mapping={'text': 'COLUMN'}). Where the"
                " first line is no header, give numbers: --columns text=2,label=1."
            )
        chosen = asked_roles(chosen, self.cells) if self.asking else chosen
        return {**chosen, **{self.own + name: name for name in columns}} if self.own else chosen


class Raw(NamedTuple):
    """What a format reader found."""

    columns: Mapping[str, Sequence[object] | pa.ChunkedArray]  # by canonical name
    where: Callable[[int], str]  # row number -> "FILE, line 7"
    typed: bool = True  # False: the format has nothing but strings
    notes: tuple[str, ...] = ()  # what was odd about the rows
    form: str = ""  # what the file was recognised as
    file_columns: tuple[str, ...] = ()  # all columns of the file
    answers: bool = False  # labels are answers of people, and a row without one was skipped


def parse_columns(items: Sequence[str]) -> dict[str, str]:
    """Return `["text=body,label=topic"]` or `["text=body", "label=topic"]` as a mapping."""
    mapping: dict[str, str] = {}
    for item in (part for one in items for part in _parts(one)):
        name, equals, column = item.partition("=")
        if not equals or not column.strip():
            raise MetaglotError(f"columns are given as text=COLUMN or label=COLUMN, not {item!r}.")
        mapping[name.strip()] = column.strip()
    return mapping


def _parts(item: str) -> list[str]:
    """Return the parts between commas; one without "=", but for a lone name, goes on with the column before it."""
    parts: list[str] = []
    for part in item.split(","):
        if parts and "=" not in part and part.strip() and part.strip() not in CANONICAL:
            parts[-1] = f"{parts[-1]},{part}"
        else:
            parts.append(part)
    return parts


def picker(
    source: str,
    mapping: Mapping[str, str] | None,
    more: Sequence[str] = (),
    encoding: str | None = None,
    cells: Cells = "one",
    *,
    asking: bool = False,
) -> Pick:
    """Return what is asked of `source`; `more` are columns of strings that are read beside the canonical ones.

    Raises MetaglotError for a name that is none of these.
    """
    wanted = dict(mapping or {})
    names = (*CANONICAL, *more)
    for name in wanted:
        if name in TARGET_ROLES and not may_read(name, cells):
            task = TARGET_ROLES[name]
            raise MetaglotError(f"the column {name!r} is read by the task {task} alone: --task {task}.")
        known = (*names, *TARGET_ROLES)
        if name not in known:
            raise MetaglotError(f"unknown column {name!r}{near_name(name, known)}: choose from {', '.join(known)}.")
    return Pick(source, wanted, names, encoding, cells=cells, asking=asking)


def canonical(raw: Raw, cells: Cells = "one") -> pa.Table:
    """Return the table of canonical columns, all strings but shot, draw and row (int64).

    Labels are in their one form (`labels.py`), and `labels.table_notes` has what was odd about them.  Lists of labels
    are lists of JSON, unless one label a cell is asked for.

    Raises a MetaglotError that names the row for a missing text, a nested value or a number that is none.
    """
    columns: dict[str, pa.ChunkedArray | pa.Array] = {}
    raw, labels, kind = _with_labels(raw, cells)
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
    noted = with_notes(table, (*raw.notes, *labels.notes), kind)
    return with_form(noted, Form(raw.form, raw.file_columns, raw.answers))


def _with_labels(raw: Raw, cells: Cells) -> tuple[Raw, Column, str]:
    """Return the columns of a file without those that make its targets, the labels, and what they are."""
    found = read_targets(raw.columns, raw.where, cells)
    raw = raw._replace(columns=found.columns, notes=(*raw.notes, *found.notes))
    if found.cells is not None:
        return raw._replace(columns={**found.columns, "label": found.cells}), Column(list(found.cells), ()), found.kind
    labels, kind = _label_column(raw, cells) if "label" in raw.columns else (Column([], ()), "string")
    return raw, labels, kind


def _label_column(raw: Raw, cells: Cells) -> tuple[Column, str]:
    """Return the labels of a file, and what they are."""
    values = raw.columns["label"]
    plain = _arrow_labels(values, raw.where, cells) if isinstance(values, pa.ChunkedArray) else values
    if cells != "one" and has_lists(plain):
        return list_cells(plain, lambda row: f"{raw.where(row)}: label"), LISTS
    column = labels_of(plain, lambda row: f"{raw.where(row)}: label", typed=raw.typed)
    return column, kind_of(column.labels)


def _arrow_labels(values: pa.ChunkedArray, where: Callable[[int], str], cells: Cells) -> list[object]:
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if pa.types.is_nested(kind) and not (is_list_type(kind) and cells != "one"):
        several = "; the task multilabel learns several labels a text" if is_list_type(kind) else ""
        raise MetaglotError(
            f"{where(0)}: the column for label holds {kind}, not labels. Choose another column{several}."
        )
    return values.to_pylist()


def is_list_type(kind: pa.DataType) -> bool:
    """Whether a type of Arrow is that of lists of plain values."""
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(lists) and not pa.types.is_nested(kind.value_type)


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


def near_name(name: str, among: Sequence[str]) -> str:
    """Return a hint at the name that is most like this one, if any is."""
    folded = {one.casefold(): one for one in reversed(among)}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f" (did you mean {folded[near[0]]!r}?)" if near else ""


def _is_number(column: str) -> bool:
    return column.isascii() and column.isdigit() and len(column) < 7


def _named(column: str, columns: Sequence[str]) -> str:
    """Return a column by its name, where it is given by its number."""
    by_number = column not in columns and _is_number(column) and 0 < int(column) <= len(columns)
    return columns[int(column) - 1] if by_number else column


def _separator(columns: Sequence[str]) -> str:
    """Return a hint where the one column's name looks like a whole header of another separator."""
    if len(columns) == 1:
        for mark, advice in (
            ("\t", "tabs: name it .tsv"),
            (";", "semicolons: name it .csv"),
            (",", "commas: name it .csv"),
        ):
            if mark in columns[0]:
                return f" The columns seem to be separated by {advice}."
    return ""
