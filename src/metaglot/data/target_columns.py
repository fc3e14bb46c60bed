"""Columns of a file that make its targets: spans of texts, answers, right candidates, and texts to be written."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from metaglot.choices import Cells
from metaglot.data.answer_columns import ANSWER_ROLES, ANSWERING, answer_roles, may_be_answers, read_answers
from metaglot.data.candidate_columns import CANDIDATE_ROLES, CHOOSING, PART, candidate_roles, read_candidates
from metaglot.data.labels import ANSWERS, CHOICES, SPANS, TEXTS
from metaglot.data.span_columns import KIND, ROLES, Values, may_be_spans, read_spans, span_roles
from metaglot.data.written_columns import ASKED, WRITING, WRITTEN_ROLES, read_written, written_roles

TARGET_ROLES: Mapping[str, str] = {
    **dict.fromkeys(ROLES, KIND),
    **dict.fromkeys(ANSWER_ROLES, ANSWERING),
    **dict.fromkeys(CANDIDATE_ROLES, CHOOSING),
    **dict.fromkeys(WRITTEN_ROLES, WRITING),
}
"""Columns that are read for targets beside the canonical ones, and the kind of task that reads them."""


class Targets(NamedTuple):
    """The columns of a file without those of TARGET_ROLES."""

    columns: Mapping[str, Values]
    cells: list[str | None] | None  # what the column label holds; None: the labels of the file are as they were
    kind: str  # what these labels are
    notes: tuple[str, ...]


def may_read(role: str, cells: Cells) -> bool:
    """Whether a column of TARGET_ROLES has a use where cells are read so."""
    if role in CANDIDATE_ROLES:
        return cells == "candidates"
    if role in WRITTEN_ROLES:
        return cells == "texts"
    return may_be_spans(cells) if role in ROLES else may_be_answers(cells)


def target_roles(
    columns: Sequence[str], chosen: Mapping[str, str], wanted: Mapping[str, str], cells: Cells
) -> dict[str, str]:
    """Return {role: column of the file}, as the functions of the kinds find them."""
    if cells == "texts":
        return written_roles(columns, chosen, wanted, cells)
    if cells == "candidates":
        return candidate_roles(columns, chosen, wanted, cells)
    answers = answer_roles(columns, chosen, wanted, cells)
    return answers or span_roles(columns, chosen, wanted, cells)


def asked_roles(chosen: Mapping[str, str], cells: Cells) -> dict[str, str]:
    """Return the columns of a question, without those of answers, right candidates, texts and tags of tokens."""
    if cells == "spans" and "tokens" in chosen:
        return {role: column for role, column in chosen.items() if role != "tags"}
    if cells not in ("answers", "candidates", "texts"):
        return dict(chosen)
    asked = {ASKED if role in WRITTEN_ROLES else role: column for role, column in chosen.items()}
    return {role: column for role, column in asked.items() if role not in ("label", *ANSWER_ROLES)}


def kind_hint(columns: Sequence[str], cells: Cells) -> str:
    """Return a hint where columns without a text look as those of texts, their candidates and the right ones."""
    if cells == "candidates" or len(columns) < 3:
        return ""
    found = candidate_roles(columns, {}, {}, "candidates")
    has_some = found.get("candidates", "answers") != "answers" or f"{PART}0" in found
    return " Texts with candidates are read with --task choice." if has_some and "text" in found else ""


def read_targets(columns: Mapping[str, Values], where: Callable[[int], str], cells: Cells) -> Targets:
    """Return the columns of a file, and the targets that several of them make; raises as the readers do."""
    if cells == "texts":
        written = read_written(columns, where)
        return Targets(written.columns, written.cells, TEXTS, written.notes)
    if cells == "candidates":
        candidates = read_candidates(columns, where, cells)
        return Targets(candidates.columns, candidates.cells, CHOICES, candidates.notes)
    answers = read_answers(columns, where, cells)
    if answers.cells is not None or cells == "answers":
        return Targets(answers.columns, answers.cells, ANSWERS, answers.notes)
    spans = read_spans(columns, where, cells)
    return Targets(spans.columns, spans.cells, SPANS, spans.notes)
