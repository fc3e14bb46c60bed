"""Argilla: records with `fields` and `responses` (JSON), or columns such as `label.responses` (`datasets`, Parquet).

https://docs.argilla.io/latest/how_to_guides/import_export/
"""

from collections.abc import Mapping, Sequence

from metaglot.data.exports.answers import Answer, Export, agreed, as_list, as_object

FLAT = ".responses"


def argilla(records: Sequence[Mapping[str, object]]) -> Export | None:
    """Return the rows of an export of Argilla; None for what is none.

    Answers that were discarded, or are drafts, do not count.  Suggestions are no answers.
    """
    if all(isinstance(one.get("fields"), dict) and "responses" in one for one in records):
        return _records(records)
    if questions := flat_questions(list(records[0])):
        return _flat(records, questions)
    return None


def flat_questions(columns: Sequence[str]) -> list[str]:
    """Return the questions of an export in flat columns; none where it is no such export."""
    questions = [name.removesuffix(FLAT) for name in columns if name.endswith(FLAT)]
    return [name for name in questions if f"{name}{FLAT}.users" in columns or f"{name}{FLAT}.status" in columns]


def _records(records: Sequence[Mapping[str, object]]) -> Export:
    responses = [as_object(one["responses"]) for one in records]
    names = dict.fromkeys(name for one in responses for name in one)
    questions = {name: [_answer(as_list(one.get(name))) for one in responses] for name in names}
    fields = [as_object(one["fields"]) for one in records]
    rows = [{**as_object(one.get("metadata")), **field} for one, field in zip(records, fields, strict=True)]
    texts = [name for name in fields[0] if all(isinstance(field.get(name), str) for field in fields)]
    return Export("Argilla", rows, questions, texts=texts)


def _answer(responses: Sequence[object]) -> Answer:
    counted = [as_object(one) for one in responses]
    return agreed([_labels(one.get("value")) for one in counted if one.get("status") in (None, "submitted")])


def _flat(records: Sequence[Mapping[str, object]], names: Sequence[str]) -> Export:
    questions = {name: [_flat_answer(one, name) for one in records] for name in names}
    named = {**questions, **({f"{name}{FLAT}": answers for name, answers in questions.items()})}
    rest = [{name: value for name, value in one.items() if not _of(name, names)} for one in records]
    return Export("Argilla", rest, named if len(names) > 1 else {"label": questions[names[0]], **named})


def _flat_answer(record: Mapping[str, object], name: str) -> Answer:
    values = as_list(record.get(f"{name}{FLAT}"))
    status = as_list(record.get(f"{name}{FLAT}.status")) or ["submitted"] * len(values)
    return agreed([_labels(value) for value, one in zip(values, status, strict=False) if one == "submitted"])


def _labels(value: object) -> list[object]:
    return as_list(value) if isinstance(value, list) else [] if value is None else [value]


def _of(column: str, questions: Sequence[str]) -> bool:
    return any(column.startswith((f"{name}{FLAT}", f"{name}.suggestion")) for name in questions)
