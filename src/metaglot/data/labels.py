"""Labels: one class for what reads the same, from Python and from files alike.

A string is in Unicode form NFC, its white space is folded to single spaces and trimmed, and marks without width are
left out.  A number is a whole number where all of its column are whole.  What says that a value is absent (an empty
string, NaN, "nan", "<NA>") is no class.
"""

import enum
import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

import pyarrow as pa

from metaglot.errors import MetaglotError

Label = str | int | float
"""A class: a string, a truth value, a whole number or a number; all labels of one task are of one kind."""

KINDS: Mapping[type, str] = {str: "string", bool: "truth value", int: "number", float: "number"}
ABSENT = {"", "nan", "<na>", "nat", "#n/a"}  # in lower case: what programs write where there is no value
MARKS = {"NAType", "NaTType"}  # types by which pandas says that there is no value
DOUBTFUL = {"none", "null", "n/a", "na"}  # what some programs write so, and some people call a class
NOTES, KIND = b"metaglot.notes", b"metaglot.labels"  # in the schema of a table that was read
LISTS = "list of labels"  # what labels are where a cell has several, as a list of JSON
SPANS = "list of spans"  # what labels are where they mark parts of a text (`spans.as_cell`)
CHOICES = "choice"  # what labels are where they are numbers of candidates (`candidates.choice_in`)
TEXTS = "text"  # what labels are where they are texts to be written, letter by letter
ANSWERS = "answer"  # what labels are where they answer questions (`answers.as_cell`)
SHOWN = 3  # labels named in a note
_WITHOUT_WIDTH = re.compile("[\u200b\u200e\u200f\u2060\ufeff\u00ad]")
_JOINERS = "\u200c\u200d"  # some scripts need them within a word
_WHOLE = re.compile(r"-?(0|[1-9]\d*)(\.0+)?")
_WRITTEN = re.compile(r"(?<=\w)[\s_-]+(?=\w)")
_FROM_TEXT: Mapping[str, Callable[[str], Label]] = {
    "string": str,
    "truth value": lambda text: text == "true",
    "whole number": int,
    "number": float,
    LISTS: str,
    SPANS: str,
    ANSWERS: str,
    CHOICES: str,
    TEXTS: str,
}
_WAYS_OUT: Mapping[type, str] = {
    bytes: "decode it, for example label.decode()",
    list: "give each text one label; the task multilabel learns several",
    tuple: "give each text one label; the task multilabel learns several",
    set: "give each text one label; the task multilabel learns several",
    dict: "give each text one label",
}


@runtime_checkable
class Wrapped(Protocol):
    """A scalar or an array of numpy or torch."""

    @property
    def ndim(self) -> int:
        """Its dimensions, 0 of a scalar."""
        ...

    def item(self) -> object:
        """Return the one value as Python's own."""
        ...


class Column(NamedTuple):
    """Labels of one kind, and what is odd about how they were written."""

    labels: list[Label | None]  # None: absent
    notes: tuple[str, ...]


def labels_of(values: Iterable[object], name: Callable[[int], str], *, typed: bool = True) -> Column:
    """Return the labels in their one form; `name(row)` is what an error calls a label, such as "label number 3".

    Scalars of numpy and torch become Python's, and a member of an enum its value.  `typed` is False for a file in
    which everything is a string: whole numbers there lose their ".0" too.  Raises MetaglotError for any other object,
    and for labels of several kinds: whether 1, "1" and true mean the same is for the user to say.
    """
    plain = [_plain(value, name, row) for row, value in enumerate(values)]
    _check_one_kind(plain, name)
    read = [normal(value) if isinstance(value, str) else cast("Label | None", value) for value in plain]
    notes = _merged(plain, read, name)
    numbers = [float(value) for value in read if type(value) is int or type(value) is float]
    if numbers:
        kind = int if all(map(float.is_integer, numbers)) else float
        return Column([None if value is None else kind(value) for value in read], notes)
    if not typed and (whole := _without_zeros(read)) is not None:
        return Column(whole, (*notes, "all labels are whole numbers, and those that end in .0 are read without it"))
    return Column(read, notes)


def scalar_of(value: object) -> object:
    """Return a scalar of numpy or torch, or the member of an enum, as Python's own; None for what has no value.

    These are None, NaN, and the marks of pandas.  Strings that say so are for `normal` to tell.
    """
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, Wrapped) and value.ndim == 0:
        value = value.item()
    absent = type(value).__name__ in MARKS or (isinstance(value, float) and math.isnan(value))
    return None if absent else value


def is_absent(value: object) -> bool:
    """Whether a value of `scalar_of` says that there is none: None, or a string such as "" or "nan"."""
    return value is None or (isinstance(value, str) and normal(value) is None)


def normal(label: str) -> str | None:
    """Return a string in its one form; None where it says that there is no label."""
    text = _WITHOUT_WIDTH.sub("", unicodedata.normalize("NFC", label))
    text = " ".join(text.split()).strip(_JOINERS)
    return None if text.lower() in ABSENT else text


def label_text(label: Label) -> str:
    """Return a label as a string: a truth value in lower case, as in JSON."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def in_order(labels: Iterable[Label]) -> tuple[Label, ...]:
    """Return the distinct labels, which are of one kind, sorted."""
    return tuple(cast("list[Label]", sorted(cast("set[Any]", set(labels)))))


def of_kind(labels: Sequence[Label], known: Sequence[Label], name: Callable[[int], str]) -> list[Label]:
    """Return each label as the known label that reads the same, with its type.

    Raises MetaglotError for a new label that is of another kind.
    """
    by_text = {label_text(label): label for label in known}
    if isinstance(known[0], str):
        return [label_text(label) for label in labels]
    same_labels = [by_text.get(label_text(label), label) for label in labels]
    for row, label in enumerate(same_labels):
        if KINDS[type(label)] != KINDS[type(known[0])]:
            raise MetaglotError(
                f"{name(row)} is {label!r:.60}, a {KINDS[type(label)]}, and the classes so far are "
                f"{KINDS[type(known[0])]}s, such as {known[0]!r}; write all labels the same way"
            )
    return same_labels


def alike_notes(labels: Iterable[str], *, noun: str = "class", nouns: str = "classes") -> list[str]:
    """Return a note on each class that differs from another in case, separators or the form of letters only."""
    first: dict[str, str] = {}
    notes: list[str] = []
    for label in sorted(labels):
        key = _WRITTEN.sub(" ", unicodedata.normalize("NFKC", label).casefold().replace("_", " "))
        if (other := first.setdefault(key, label)) != label:
            what = "case only" if other.casefold() == label.casefold() else "how they are written only"
            notes.append(f"the labels {other!r} and {label!r} differ in {what} and are two {nouns}")
        if label.casefold() in DOUBTFUL:
            notes.append(f"{label!r} is a {noun} here; where it means that there is no label, leave its cell empty")
    return notes


def table_notes(table: pa.Table) -> list[str]:
    """Return what was odd about the rows and labels of a table when it was read."""
    noted: list[str] = json.loads((table.schema.metadata or {}).get(NOTES, b"[]"))
    return noted


def with_notes(table: pa.Table, notes: Iterable[str], kind: str | None = None) -> pa.Table:
    """Return the table with notes for those who show it, and the kind of its labels where they were no strings."""
    kinds = {} if kind in (None, "string") else {KIND: str(kind).encode()}
    noted = list(notes)
    return table.replace_schema_metadata({**kinds, **({NOTES: json.dumps(noted).encode()} if noted else {})})


def typed_labels(table: pa.Table) -> list[Label | None]:
    """Return the labels of a table as they were in its file: numbers and truth values, where it had them."""
    texts = cast("list[str | None]", table["label"].to_pylist())
    return [None if text is None else _FROM_TEXT[label_kind(table)](text) for text in texts]


def label_kind(table: pa.Table) -> str:
    """Return what the labels of a table were in its file, as `kind_of` says it."""
    return (table.schema.metadata or {}).get(KIND, b"string").decode()


def kind_of(labels: Iterable[Label | None]) -> str:
    """Return what labels are: "string", "truth value", "whole number" or "number"."""
    kind = next((type(label) for label in labels if label is not None), str)
    return "whole number" if kind is int else KINDS[kind]


def _plain(value: object, name: Callable[[int], str], row: int) -> object:
    """Return a value as a plain Python object of one of KINDS, or None."""
    value = scalar_of(value)
    if value is None or type(value) in KINDS:
        return value
    if isinstance(value, str):
        return str(value)
    kind = type(value).__name__
    column = "give each text one label: labels.ravel(), if it is one column"
    way = column if isinstance(value, Wrapped) else _WAYS_OUT.get(type(value), "give str(label) in its place")
    raise MetaglotError(
        f"{name(row)} is {value!r:.60}, of type {kind}, not one label (a string, a number or a truth value); {way}"
    )


def _check_one_kind(values: Sequence[object], name: Callable[[int], str]) -> None:
    first: dict[str, int] = {}
    for row, value in enumerate(values):
        if is_absent(value):
            continue
        kind = KINDS[type(value)]
        if first.setdefault(kind, row) == row and len(first) > 1:
            other, before = next(iter(first.items()))
            raise MetaglotError(
                f"{name(row)} is {value!r:.60}, a {kind}, and {name(before)} is {values[before]!r:.60}, a {other}."
                " Write all labels the same way, best as strings."
            )


def _merged(plain: Sequence[object], read: Sequence[Label | None], name: Callable[[int], str]) -> tuple[str, ...]:
    """Return a note that names labels which were written in several ways and are one class."""
    written: dict[str, dict[str, int]] = {}
    for row, (before, after) in enumerate(zip(plain, read, strict=True)):
        if isinstance(before, str) and isinstance(after, str):
            written.setdefault(after, {}).setdefault(before, row)
    several = {label: forms for label, forms in written.items() if len(forms) > 1}
    if not several:
        return ()
    shown = [
        f"{label!r} ({' and '.join(f'{form!a} at {name(row)}' for form, row in list(forms.items())[:2])})"
        for label, forms in list(several.items())[:SHOWN]
    ]
    more = f" and {len(several) - SHOWN} more" if len(several) > SHOWN else ""
    return (
        f"labels that differ in white space, in marks without width or in the encoding of accents are one class: "
        f"{', '.join(shown)}{more}",
    )


def _without_zeros(labels: Sequence[Label | None]) -> list[Label | None] | None:
    """Return whole numbers that are written as strings without ".0"; None where none ends so, or one is no number."""
    texts = [label for label in labels if isinstance(label, str)]
    if not any(text.endswith(".0") for text in texts) or not all(_WHOLE.fullmatch(text) for text in texts):
        return None
    return [label.split(".")[0] if isinstance(label, str) else label for label in labels]
