"""What people answered about the texts of an export: one label a text, or the reason why there is none."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from metaglot.choices import Cells
from metaglot.data.columns import Pick, Raw
from metaglot.data.span_columns import ROLES, may_be_spans
from metaglot.errors import MetaglotError

NONE, SEVERAL, TIE = "without an answer", "with several labels", "on which people disagree evenly"
AGREED: Mapping[Cells, str] = {
    "one": "the label of the majority",
    "several": "the labels of the majority",
    "number": "the mean",
    "spans": "the spans that more than half of them marked",
}


class Answer(NamedTuple):
    """The answer to one question about one text."""

    label: object  # None: there is none
    reason: str = ""  # why there is none
    divided: bool = False  # the label is that of the majority, or the mean of unlike numbers
    people: Sequence[Sequence[object]] = ()  # what each person chose, where that is known


@dataclass(frozen=True)
class Export:
    """The rows of an export."""

    form: str  # the tool's name
    rows: Sequence[Mapping[str, object]]
    questions: Mapping[str, Sequence[Answer]]  # the answers to each question, an item a row
    notes: tuple[str, ...] = ()
    texts: Sequence[str] = field(default=("text",))  # columns that may hold the text
    spans: Sequence[Answer] = ()  # the parts of each text that were marked; empty where nothing was


def agreed(people: Sequence[Sequence[object]]) -> Answer:
    """Return the answer that most people gave; each item of `people` holds the labels that one of them chose.

    Several labels by one person are no class, and neither is a tie.
    """
    counts = Counter(tuple(sorted(map(_hashable, labels), key=str)) for labels in people if labels)
    if not counts:
        return Answer(None, NONE, people=people)
    ranked = counts.most_common(2)
    if len(ranked) == 2 and ranked[0][1] == ranked[1][1]:
        return Answer(None, TIE, people=people)
    labels = ranked[0][0]
    if len(labels) == 1:
        return Answer(labels[0], divided=len(counts) > 1, people=people)
    return Answer(None, SEVERAL, people=people)


def marked(people: Sequence[Sequence[object]]) -> Answer:
    """Return the spans that more than half of the people marked; each item of `people` holds those of one of them.

    A span is an object of JSON with start, end and its labels.
    """
    if not people:
        return Answer(None, NONE)
    spans = [{_place_of(span): span for span in own} for own in people]
    counts = Counter(place for own in spans for place in own)
    by_place = {place: span for own in spans for place, span in own.items()}
    label = [by_place[place] for place, count in counts.items() if 2 * count > len(people)]
    return Answer(label, divided=any(own.keys() != spans[0].keys() for own in spans))


def _place_of(span: object) -> tuple[str, ...]:
    parts = as_object(span)
    names = ("start", "end", "start_offset", "end_offset", "label", "labels")
    return tuple(str(parts.get(name)) for name in names) if parts else (str(span),)


def _read_as(answers: Sequence[Answer], cells: Cells) -> Sequence[Answer]:
    """Return the answers as one label a text, several, or a number.

    By the look they are several where no text has one label and some have several.
    """
    never_one = not any(answer.label is not None for answer in answers)
    if cells == "several" or (cells == "look" and never_one and any(a.reason == SEVERAL for a in answers)):
        return [_several(answer) for answer in answers]
    return [_mean(answer) for answer in answers] if cells == "number" else answers


def _several(answer: Answer) -> Answer:
    """Return the labels that more than half of the people chose, which may be none."""
    if not answer.people:
        return answer if answer.label is None else answer._replace(label=[answer.label])
    chosen = [{str(label) for label in labels} for labels in answer.people]
    counts = Counter(label for labels in chosen for label in labels)
    labels = sorted(label for label, count in counts.items() if 2 * count > len(chosen))
    return Answer(labels, divided=any(one != chosen[0] for one in chosen), people=answer.people)


def _mean(answer: Answer) -> Answer:
    """Return the mean of the numbers that people gave; the answer itself where someone gave no number."""
    given = [labels[0] for labels in answer.people if len(labels) == 1]
    numbers = [float(one) for one in given if isinstance(one, int | float)]
    if not numbers or len(numbers) < len(given):
        return answer
    return Answer(sum(numbers) / len(numbers), divided=len(set(numbers)) > 1, people=answer.people)


def raw_of(path: object, pick: Pick, export: Export, where: Callable[[int], str]) -> Raw:
    """Return the picked columns of an export.

    The one question of an export goes by the name label, and its one text by the name text.  Raises MetaglotError
    where no text has one label and texts have several, if one label a text is asked for.
    """
    questions = {name: _read_as(answers, pick.cells) for name, answers in _asked(path, pick, export).items()}
    if len(questions) == 1:
        questions["label"] = next(iter(questions.values()))
    names = dict.fromkeys([*questions, *(name for row in export.rows for name in row)])
    alias = export.texts[0] if len(export.texts) == 1 and "text" not in names else "text"
    chosen = pick([*names, *(["text"] if alias != "text" else [])])
    chosen = {name: column for name, column in chosen.items() if name not in ROLES}  # spans are among the answers
    columns = {
        name: [answer.label for answer in questions[column]]
        if column in questions
        else [row.get(alias if column == "text" else column) for row in export.rows]
        for name, column in chosen.items()
    }
    answers = questions.get(chosen.get("label", ""), ())
    notes = (*export.notes, *_notes(path, export, questions, answers, chosen.get("label"), pick.cells))
    return Raw(columns, where, notes=notes, form=export.form, file_columns=tuple(names), answers=bool(answers))


def _asked(path: object, pick: Pick, export: Export) -> Mapping[str, Sequence[Answer]]:
    """Return the questions to the texts; where spans are read, the spans, and by the look where there is no other."""
    answered = any(answer.label is not None for answers in export.questions.values() for answer in answers)
    if not export.spans or (answered and pick.cells != "spans"):
        return export.questions
    if not may_be_spans(pick.cells):
        raise MetaglotError(
            f"{path}: an export of {export.form} that marks parts of texts (spans), which the task tagging learns: "
            "--task tagging. For classes of texts, export a project of text classification."
        )
    return {"label": export.spans}


def _notes(
    path: object,
    export: Export,
    questions: Mapping[str, Sequence[Answer]],
    answers: Sequence[Answer],
    label: str | None,
    cells: Cells,
) -> list[str]:
    if label is None and questions:
        named, first = ", ".join(map(repr, questions)), next(iter(questions))
        return [f"{path}: people answered several questions ({named}): name one, such as --columns label={first}"]
    reasons: Counter[str] = Counter(answer.reason for answer in answers if answer.label is None)
    if answers and reasons[SEVERAL] and reasons.total() == len(answers):
        raise MetaglotError(
            f"{path}: an export of {export.form} in which no text has one label, and {reasons[SEVERAL]} have several. "
            "A class is one label: keep the most important one of each text, make a file for each label, with yes "
            "or no in its column label, or take the task multilabel, which learns several labels a text."
        )
    notes: list[str] = []
    if reasons and reasons.total() < len(answers):
        counted = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        notes.append(
            f"{path}: {reasons.total()} of {len(answers)} rows have no label and are not learnt from: {counted}"
        )
    if divided := sum(answer.divided for answer in answers):
        what = AGREED.get(cells, AGREED["one"])
        notes.append(f"{path}: people disagree about {divided} of {len(answers)} rows, which have {what}")
    return notes


def as_object(value: object) -> Mapping[str, object]:
    """Return a value as the object of JSON that it is; an empty one for any other."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """Return a value as the list that it is; an empty one for any other."""
    return cast("list[object]", value) if isinstance(value, list) else []


def _hashable(value: object) -> object:
    return value if isinstance(value, str | int | float) else str(value)
