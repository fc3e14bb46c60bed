"""Answers that people marked in passages: exports of parts of texts, read for the kind of task that answers questions.

A task of the export has a question and a passage; a part of the passage that more than half of the people marked is a
right answer, and where they marked none there is none.  A task that nobody has looked at is left out.
"""

from collections.abc import Callable

from metaglot.data.columns import Pick, Raw
from metaglot.data.exports.answers import NONE, Answer, Export, as_list, as_object
from metaglot.errors import MetaglotError


def raw_of_marked(path: object, pick: Pick, export: Export, where: Callable[[int], str]) -> Raw:
    """Return the picked columns of an export whose parts of passages are answers.

    Raises MetaglotError that names the row for a part whose place is none.
    """
    kept = [row for row, answer in enumerate(export.spans) if answer.reason != NONE]
    names = tuple(dict.fromkeys([*(name for row in export.rows for name in row), "answers"]))
    chosen = pick(names)
    passage = chosen.get("text_pair", "")
    columns: dict[str, list[object]] = {
        name: [export.rows[row].get(column) for row in kept] for name, column in chosen.items() if column != "answers"
    }
    columns["answers"] = [
        _answers(export.spans[row], export.rows[row].get(passage), f"{path}: {where(row)}") for row in kept
    ]
    left = len(export.rows) - len(kept)
    notes = (
        (f"{path}: {left} of {len(export.rows)} rows are left out, since nobody has looked at them",) if left else ()
    )
    return Raw(
        columns, lambda row: where(kept[row]), notes=(*export.notes, *notes), form=export.form, file_columns=names
    )


def _answers(marks: Answer, passage: object, name: str) -> dict[str, list[object]]:
    """Return the marked parts in the form of SQuAD: their texts and where they begin."""
    found: dict[str, list[object]] = {"text": [], "answer_start": []}
    for mark in map(as_object, as_list(marks.label)):
        start, end = mark.get("start"), mark.get("end")
        if not (isinstance(start, int) and isinstance(end, int) and isinstance(passage, str)):
            raise MetaglotError(f"{name}: a marked part has the place {start!r} to {end!r}, not two whole numbers")
        found["text"].append(passage[start:end])
        found["answer_start"].append(start)
    return found
