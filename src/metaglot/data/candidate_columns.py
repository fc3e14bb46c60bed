"""Columns of a file that hold candidates, as one column of cells, and the right ones among them.

The candidates of a row stand in one column as a list, in columns of their own that end in a number or a letter
(`option1`, `ending0`, `choice_a`, or `A`, `B` and so on), or in the cell of the question.  The right one is told by its
number, by its letter, by the label that stands beside it in the file, or by its text.  They are read under the names of
the user, or of sets such as ARC, SWAG, COPA, WinoGrande, MMLU and TruthfulQA.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple, TypeAlias, cast

import pyarrow as pa

from metaglot.choices import Cells
from metaglot.data.candidates import as_cell, checked, choice_of, placed, plain_choice
from metaglot.data.labels import is_absent, scalar_of
from metaglot.data.literals import literal
from metaglot.data.nested_questions import unfolded
from metaglot.errors import MetaglotError

Values: TypeAlias = Sequence[object] | pa.ChunkedArray
Where: TypeAlias = Callable[[int], str]
CHOOSING = "choice"
"""The kind of task that chooses, as `choices.FAMILIES` names it."""
CANDIDATE_ROLES = ("candidates",)
"""The column that is read where candidates may be, beside those of its own parts (`PART`)."""
PART = "candidate "
_TEXTS = (
    *("text", "question", "question_stem", "query", "context", "prompt", "premise", "sentence", "ctx", "goal"),
    *("startphrase", "source", "input"),
)
_MORE = ("context", "passage", "article", "premise")  # what a question may be about
_LISTS = ("candidates", "choices", "options", "answers", "endings", "mc_answers", "mc1_targets", "mc2_targets")
_PARTS = re.compile(r"(?i:(choice|option|opt|ending|candidate|answer|solution|sol))(\d+|[A-Z]|[_ ](?:\d+|[a-zA-Z]))")
_RIGHT = ("label", "answerkey", "answer", "correct", "gold", "target", "answer_idx", "correct_answer", "labels")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class FoundCandidates(NamedTuple):
    """The columns of a file, those of candidates as `text_pair`."""

    columns: Mapping[str, Values]
    cells: list[str | None] | None = None  # the right candidates of each row; None: the file does not tell them
    notes: tuple[str, ...] = ()


def candidate_roles(
    columns: Sequence[str], chosen: Mapping[str, str], wanted: Mapping[str, str], cells: Cells
) -> dict[str, str]:
    """Return {role: column of the file} for a text, its candidates and the right one; nothing for other kinds."""
    if cells != "candidates":
        return {}
    parts = _parts(columns) or ([] if _first(_LISTS, columns) else _lettered(columns))
    found = {
        "text": chosen.get("text", "") or _first(_TEXTS, columns),
        "candidates": wanted.get("candidates", "") or wanted.get("text_pair", "") or _first(_LISTS, columns),
        "label": wanted.get("label", "") or _first(_RIGHT, columns),
    }
    if found["label"] == found["candidates"] or found["label"] in parts:
        found["label"] = ""
    if parts and "candidates" not in wanted and "text_pair" not in wanted:
        found["candidates"] = ""
        found |= {f"{PART}{number}": column for number, column in enumerate(parts)}
    about = _first(_MORE, columns)
    if about and about != found["text"] and "text" not in wanted and found["text"] != "text":
        found["about"] = about
    if "text_pair" in columns and not found["candidates"] and not parts:
        found["candidates"] = "text_pair"
    return {role: column for role, column in found.items() if column}


def read_candidates(columns: Mapping[str, Values], where: Where, cells: Cells) -> FoundCandidates:
    """Return the columns of a file with its candidates as `text_pair`, and the right ones as cells.

    Raises MetaglotError that names the row where no column has candidates, for what is no list of them, and for a right
    one that is none of them.
    """
    if cells != "candidates":
        return FoundCandidates(columns)
    own = [name for name in columns if name.startswith(PART)]
    nested = None if own or "candidates" in columns else unfolded(_listed(columns["text"]))
    if nested:
        columns = {**columns, "text": nested[0], "candidates": nested[1]}
    rest = {name: values for name, values in columns.items() if name not in ("label", "about", "candidates", *own)}
    if "candidates" in columns:
        lists = [_of_value(value, row, where) for row, value in enumerate(_listed(columns["candidates"]))]
    elif own:
        rows = zip(*(_listed(columns[name]) for name in own), strict=True)
        lists = [_of_parts(list(row), number, where) for number, row in enumerate(rows)]
    else:
        raise MetaglotError(
            f"{where(0)}: no column has candidates; name theirs candidates, with a list in each row, or candidate1, "
            "candidate2 and so on, or say which one it is: --columns candidates=COLUMN"
        )
    rest |= {"text": _texts(columns), "text_pair": [as_cell(one.texts) for one in lists]}
    in_file = "label" in columns
    values = _listed(columns["label"]) if in_file else [one.right for one in lists]
    if not in_file and all(value is None for value in values):
        return FoundCandidates(rest)
    numbering = _numbering(values, lists)
    found = [
        _right(value, one, numbering, f"{where(row)}: label")
        for row, (value, one) in enumerate(zip(values, lists, strict=True))
    ]
    return FoundCandidates(rest, found, numbering.notes())


class _Listed(NamedTuple):
    """The candidates of a row."""

    texts: tuple[str, ...]
    labels: tuple[str, ...] = ()  # what each is called in the file, such as "A"
    right: object = None  # what the list itself says


def _of_value(value: object, row: int, where: Where) -> _Listed:
    """Return the candidates in a cell: a list, its text in JSON, or lists of texts and of labels beside each other."""
    plain = scalar_of(value)
    if isinstance(plain, str):
        plain = literal(plain)
        if isinstance(plain, str):
            raise MetaglotError(f"{where(row)}: the candidates are {plain!r:.60}, not a list in JSON")
    if isinstance(plain, Mapping):
        given = cast("Mapping[str, object]", plain)
        marked = _marked_texts(given)
        texts = given.get("text", given.get("choices", list(marked) or None))
        named, marks = given.get("label"), given.get("labels", list(marked.values()))
        labels = tuple(map(str, cast("list[object]", named))) if isinstance(named, list) else ()
        return _Listed(checked(texts, f"{where(row)}: the candidates"), labels, _marked(marks))
    items = cast("list[object]", plain) if isinstance(plain, list) else plain
    if isinstance(items, list) and items and all(isinstance(one, Mapping) for one in items):
        each = cast("list[Mapping[str, object]]", items)
        labels = tuple(str(one["label"]) for one in each if "label" in one)
        texts = [one.get("text") for one in each]
        return _Listed(checked(texts, f"{where(row)}: the candidates"), labels if len(labels) == len(texts) else ())
    return _Listed(checked(items, f"{where(row)}: the candidates"))


def _of_parts(row: Sequence[object], number: int, where: Where) -> _Listed:
    """Return the candidates of a row that has each in a column; empty cells behind the last one are none."""
    values = [None if is_absent(scalar_of(value)) else value for value in row]
    while values and values[-1] is None:
        values.pop()
    if None in values:
        raise MetaglotError(f"{where(number)}: candidate number {values.index(None)} is empty, and others follow it")
    texts = [str(value) if isinstance(value, int | float) else value for value in values]
    return _Listed(checked(texts, f"{where(number)}: the candidates"))


def _marked_texts(given: Mapping[str, object]) -> Mapping[str, object]:
    """Return the texts of an object that has nothing but texts with a mark of 0 or 1; those without a mark are none."""
    marks = {text: mark for text, mark in given.items() if mark is not None}
    return marks if all(type(mark) is int and mark in (0, 1) for mark in marks.values()) else {}


def _marked(marks: object) -> object:
    """Return the numbers of those that are marked with a 1; None where nothing is."""
    items = cast("list[object]", marks) if isinstance(marks, list) else []
    return [i for i, one in enumerate(items) if one == 1] or None


class _Numbering(NamedTuple):
    """How a column tells the right candidates."""

    numbers: bool = False  # all of them by number
    first: int = 0  # the number of the first candidate, 0 or 1
    unsure: bool = False  # numbers that may count from 0 or from 1
    letters: bool = False  # all of them by letter

    def notes(self) -> tuple[str, ...]:
        """Return a note on numbers that count from 1, or may do so."""
        if self.unsure:
            return (
                "the numbers of right candidates are read as counting from 0, though none is 0 and none is as large as "
                "the number of candidates; if they count from 1, give the letters or the texts of right candidates",
            )
        return ("the numbers of right candidates count from 1, since none is 0",) if self.first else ()


def _numbering(values: Sequence[object], lists: Sequence[_Listed]) -> _Numbering:
    """Return how right candidates are told: numbers count from 1 if none is 0 and one is as large as their count.

    Numbers that are strings, and letters, are texts where each of them is the text of a candidate of its row.
    """
    known = [(value, own) for value, own in zip(values, lists, strict=True) if not _absent(value)]
    if all(isinstance(value, str) and value in own.texts for value, own in known):
        return _Numbering()
    if all(_letter(value, own) for value, own in known):
        return _Numbering(letters=True)
    both = [(_number(value), len(own.texts)) for value, own in known]
    pairs = [(number, count) for number, count in both if number is not None]
    if len(pairs) < len(both):
        return _Numbering()
    above = all(0 < number <= count for number, count in pairs)
    first = int(above and any(n == count for n, count in pairs))
    named = all(own.labels for _, own in known)  # the file says what each is called
    return _Numbering(
        all(0 <= number - first < count for number, count in pairs), first, unsure=above and not first and not named
    )


def _letter(value: object, own: _Listed) -> str:
    """Return the letter that a cell holds, if there are as many candidates; "" of any other cell."""
    plain = scalar_of(value)
    letter = plain.strip().upper() if isinstance(plain, str) else ""
    return letter if len(letter) == 1 and letter in LETTERS[: len(own.texts)] else ""


def _absent(value: object) -> bool:
    return is_absent(scalar_of(value))


def _number(value: object) -> int | None:
    plain = scalar_of(value)
    if isinstance(plain, str) and plain.strip().isdecimal():
        return int(plain)
    if isinstance(plain, float) and plain.is_integer():
        return int(plain)
    return plain if type(plain) is int else None


def _right(value: object, own: _Listed, numbering: _Numbering, name: str) -> str | None:
    """Return the right candidates of a row as a cell; None where they are not known."""
    if _absent(value):
        return None
    choice = choice_of(_meant(value, own, numbering), name)
    return None if choice is None else json.dumps(plain_choice(placed(choice, own.texts, name)), ensure_ascii=False)


def _meant(value: object, own: _Listed, numbering: _Numbering) -> object:
    """Return what a cell means: numbers from 0, or the text of a candidate."""
    plain = scalar_of(value)
    text = plain.strip() if isinstance(plain, str) else str(plain)
    if text in own.labels:
        return own.labels.index(text)
    if isinstance(plain, str) and plain not in own.texts:
        plain = literal(text)
    if isinstance(plain, Mapping) and "number" in plain:
        return cast("Mapping[str, object]", plain)["number"]  # as `metaglot predict` writes it
    if isinstance(plain, list):
        return cast("list[object]", plain)
    number = _number(value)
    if number is not None and (numbering.numbers or text not in own.texts):
        return number - numbering.first if number >= numbering.first else number
    letter = _letter(value, own)
    if letter and (numbering.letters or text not in own.texts):
        return LETTERS.index(letter)
    return text if isinstance(plain, str) else value


def _parts(columns: Sequence[str]) -> list[str]:
    """Return the columns that hold a candidate each, in the order of their numbers or letters."""
    groups: dict[str, list[tuple[tuple[int, str], str]]] = {}
    for column in columns:
        if found := _PARTS.fullmatch(column):
            stem, mark = found.group(1).lower(), found.group(2).strip("_ ").lower()
            groups.setdefault(stem, []).append(((int(mark) if mark.isdecimal() else 0, mark), column))
    most = max(groups.values(), key=len, default=[])
    return [column for _, column in sorted(most)] if len(most) > 1 else []


def _lettered(columns: Sequence[str]) -> list[str]:
    """Return the columns A, B, C and so on, as far as they go; none where there is no B."""
    by_letter = {column.upper(): column for column in reversed(columns) if len(column) == 1}
    found = [by_letter[letter] for letter in takewhile(by_letter.__contains__, LETTERS)]
    return found if len(found) > 1 else []


def _texts(columns: Mapping[str, Values]) -> Sequence[object]:
    """Return the text of each row, below what it is about, where there is such a column."""
    texts = _listed(columns["text"])
    if "about" not in columns:
        return texts
    about = _listed(columns["about"])
    return [
        f"{more}\n{text}" if isinstance(more, str) and isinstance(text, str) else text
        for more, text in zip(about, texts, strict=True)
    ]


def _first(names: Sequence[str], columns: Sequence[str]) -> str:
    by_name = {column.casefold(): column for column in reversed(columns)}
    return next((by_name[name] for name in names if name in by_name), "")


def _listed(values: Values) -> list[object]:
    return _plain(values) if isinstance(values, pa.ChunkedArray) else list(values)


def _plain(values: pa.ChunkedArray) -> list[object]:
    return cast("list[object]", values.to_pylist())
