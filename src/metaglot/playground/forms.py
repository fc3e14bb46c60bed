"""Rows of a table as people edit them: spans as marks in the text, answers as the words of the passage.

What a cell of a kind of task holds is said by its line in `choices.FAMILIES` (`Kind.cells`).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from metaglot.choices import Cells
from metaglot.data.span_marks import with_marks, without_marks
from metaglot.data.spans import spans_in
from metaglot.errors import MetaglotError
from metaglot.families.family import AnyFamily

MARKED = ("text",)
ASKED = ("question", "context", "answers")
CHOSEN = ("text", "candidates", "label")


def header_of(cells: Cells, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns that people edit, of a canonical table with these columns."""
    if cells == "spans" and "text_pair" not in columns:
        return MARKED
    if cells in ("answers", "candidates"):
        return ASKED if cells == "answers" else CHOSEN
    return tuple(name for name in ("text", "text_pair", "label") if name in (*columns, "label"))


def row_of(header: tuple[str, ...], row: Mapping[str, str | None]) -> tuple[str, ...]:
    """Return the cells of a row of a canonical table."""
    text, second, label = row.get("text") or "", row.get("text_pair") or "", row.get("label")
    if header == MARKED:
        return (with_marks(text, spans_in(label, "label") or ()),)
    if header == ASKED:
        return text, second, _answer(label, second)
    return (text, second, label or "") if len(header) == 3 else (text, label or "")


def target_of(header: tuple[str, ...], row: Sequence[str], family: AnyFamily) -> tuple[str, str | None, Any]:
    """Return text, second text and target of one row; raise MetaglotError for a cell that holds none."""
    if header == MARKED:
        text, spans = without_marks(row[0], "the text")
        return text, None, spans
    *texts, cell = row
    text, second = texts[0], texts[1] if len(texts) > 1 else None
    if header == ASKED:
        return text, second, cell.strip()
    (target,) = family.parse([cell.strip() or None], lambda _: "the label").targets
    if target is None:
        raise MetaglotError("there is no label; write one")
    return text, second, target


def _answer(cell: str | None, passage: str) -> str:
    """Return the words of an answer; JSON where these stand earlier in the passage too."""
    answer: dict[str, Any] = json.loads(cell or "{}")
    text, start = str(answer.get("text", "")), int(answer.get("start", -1))
    if not text or passage.find(text) == start:
        return text
    return json.dumps({"text": [text], "answer_start": [start]}, ensure_ascii=False)


def cell_of(header: tuple[str, ...], target: Any, content: str, family: AnyFamily) -> str:
    """Return a target as people correct it: the text with marks, the words of an answer, or the cell of a label."""
    if header == MARKED:
        return with_marks(content, target)
    return target.text if header == ASKED else family.shown(target)


def filled(header: tuple[str, ...], texts: tuple[str, str], cell: str) -> tuple[str, ...]:
    """Return the row of a text, its second text and a cell that was corrected."""
    if header == MARKED:
        return (cell,)
    return (*texts[: len(header) - 1], cell)
