"""Columns of a file that hold questions, their passages and answers, as one column of cells.

A question is the text of a row, and its passage is the second text.  The columns go by the names of SQuAD, of its flat
form, or of the user.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias, cast

import pyarrow as pa

from metaglot.choices import FAMILIES, Cells
from metaglot.data.answer_values import Given, Oddities, answer_of
from metaglot.data.answers import as_cell
from metaglot.errors import MetaglotError

Values: TypeAlias = Sequence[object] | pa.ChunkedArray
Where: TypeAlias = Callable[[int], str]
ANSWERING = "question-answering"
"""The kind of task that learns answers, as `choices.FAMILIES` names it."""
ANSWER_ROLES = ("answers", "answer_start", "is_impossible")
"""Columns that are read where answers may be."""
_QUESTIONS, _PASSAGES = ("question", "query"), ("context", "passage", "paragraph", "document")
_ANSWERS = ("answers", "answer", "answer_text", "label")


class FoundAnswers(NamedTuple):
    """The columns of a file without those of ANSWER_ROLES."""

    columns: Mapping[str, Values]
    cells: list[str | None] | None = None  # the answer of each row (`as_cell`); None: the file has no answers
    notes: tuple[str, ...] = ()


def may_be_answers(cells: Cells) -> bool:
    """Whether cells are read as answers, always or where they look so."""
    return cells == "answers" or (cells == "look" and ANSWERING in FAMILIES)


def answer_roles(
    columns: Sequence[str], chosen: Mapping[str, str], wanted: Mapping[str, str], cells: Cells
) -> dict[str, str]:
    """Return {role: column of the file} for a question, its passage and what is known of the answer.

    `chosen` are the canonical columns, and `wanted` what was asked for by name.  By the look, a file has a question, a
    passage and the place of an answer, or a column called answers, and neither a text nor a label.
    """
    if not may_be_answers(cells):
        return {}
    by_name = {
        "text": _first(_QUESTIONS, columns) or chosen.get("text", ""),
        "text_pair": _first(_PASSAGES, columns) or chosen.get("text_pair", ""),
        "answers": _first(_ANSWERS, columns),
        "answer_start": _first(("answer_start",), columns),
        "is_impossible": _first(("is_impossible",), columns),
        "domain": chosen.get("domain", "") or _first(("title",), columns),
    }
    if not by_name["text_pair"] and "text" in columns and by_name["text"] != "text":
        by_name["text_pair"] = "text"
    if cells == "look" and not _looks_so(by_name, columns, chosen):
        return {}
    named = {role: wanted[role] for role in (*ANSWER_ROLES, "text", "text_pair", "domain") if role in wanted}
    if "label" in wanted:
        named.setdefault("answers", wanted["label"])
    return {role: column for role, column in (by_name | named).items() if column}


def read_answers(columns: Mapping[str, Values], where: Where, cells: Cells) -> FoundAnswers:
    """Return the columns of a file, and its answers as cells where there are any.

    Raises MetaglotError that names the row where no column has the passages, for a passage or a question that is none,
    and for an answer that is none or does not lie in its passage.
    """
    if not may_be_answers(cells):
        return FoundAnswers(columns)
    rest = {name: values for name, values in columns.items() if name not in (*ANSWER_ROLES, "label")}
    given = {name: _listed(columns[name]) for name in ANSWER_ROLES if name in columns}
    if cells == "look" and not given:
        return FoundAnswers(columns)
    if "text_pair" not in columns:
        raise MetaglotError(
            f"{where(0)}: no column has the passages in which answers stand; name theirs context, or say which one it "
            "is: --columns text_pair=COLUMN"
        )
    passages = _listed(columns["text_pair"])
    if not given:
        return FoundAnswers(rest)
    rows = [
        Given(*one) for one in zip(*(given.get(role, [None] * len(passages)) for role in ANSWER_ROLES), strict=True)
    ]
    found: list[str | None] = []
    odd = Oddities()
    for row, (passage, value) in enumerate(zip(passages, rows, strict=True)):
        try:  # the place of a row may take long to find
            answer, more = answer_of(value, _passage(passage), "answer")
        except MetaglotError as error:
            raise MetaglotError(f"{where(row)}: {error}") from error
        found.append(as_cell(answer))
        odd = odd.plus(more)
    return FoundAnswers(rest, found, odd.notes())


def _looks_so(by_name: Mapping[str, str], columns: Sequence[str], chosen: Mapping[str, str]) -> bool:
    """Whether columns look as those of questions, passages and answers do."""
    named = by_name["text"] in _QUESTIONS and by_name["text_pair"] in _PASSAGES
    return named and not {"text", "label"} & chosen.keys() and bool({"answers", "answer_start"} & set(columns))


def _first(names: Sequence[str], columns: Sequence[str]) -> str:
    return next((name for name in names if name in columns), "")


def _passage(value: object) -> str:
    if not isinstance(value, str):
        raise MetaglotError(f"the passage is {value!r:.60}, not a string; give every question its passage")
    return value


def _listed(values: Values) -> list[object]:
    return _plain(values) if isinstance(values, pa.ChunkedArray) else list(values)


def _plain(values: pa.ChunkedArray) -> list[object]:
    return cast("list[object]", values.to_pylist())
