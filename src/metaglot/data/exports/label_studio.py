"""Label Studio, JSON: tasks with `data` and `annotations`, of which each has results such as choices.

https://labelstud.io/guide/task_format
"""

from collections.abc import Mapping, Sequence

from metaglot.data.exports.answers import Answer, Export, agreed, as_list, as_object, marked
from metaglot.errors import MetaglotError

READ = ("choices", "rating", "number", "taxonomy")  # kinds of results that say something of a whole text
MARKS = "labels"  # the kind of results that mark parts of it


def label_studio(tasks: Sequence[Mapping[str, object]]) -> Export | None:
    """Return the rows of an export of Label Studio; None for what is none.

    Cancelled annotations do not count.  Raises MetaglotError where all results say something else.
    """
    if not all(isinstance(task.get("data"), dict) and _key(task) for task in tasks):
        return None
    people = [[as_list(one.get("result")) for one in _annotations(task)] for task in tasks]
    results = [as_object(result) for task in people for person in task for result in person]
    names = dict.fromkeys(str(one.get("from_name")) for one in results if one.get("type") in READ)
    types = {str(one.get("type")) for one in results}
    others = sorted(types - {*READ, MARKS})
    if others and not names and MARKS not in types:
        raise MetaglotError(
            f"an export of Label Studio whose annotations are of the type {', '.join(others)}, which say nothing of a "
            "whole text and mark no part of it. Export a project with choices, or with labels of parts of texts."
        )
    rows = [as_object(task["data"]) for task in tasks]
    spans = [marked([_spans(person) for person in task]) for task in people] if MARKS in types else []
    questions = {name: _answers(people, name) for name in names}
    return Export("Label Studio", rows, questions, texts=_texts(rows), spans=spans)


def _spans(results: Sequence[object]) -> list[object]:
    """Return the parts of a text that one person marked, each with start, end, text and labels."""
    return [result["value"] for one in results if (result := as_object(one)).get("type") == MARKS and "value" in result]


def _key(task: Mapping[str, object]) -> str | None:
    return next((key for key in ("annotations", "completions") if isinstance(task.get(key), list)), None)


def _annotations(task: Mapping[str, object]) -> list[Mapping[str, object]]:
    annotations = [as_object(one) for one in as_list(task[_key(task) or "annotations"])]
    return [one for one in annotations if not one.get("was_cancelled")]


def _answers(people: Sequence[Sequence[Sequence[object]]], name: str) -> list[Answer]:
    return [
        agreed([[label for one in person for label in _labels(as_object(one), name)] for person in task])
        for task in people
    ]


def _labels(result: Mapping[str, object], name: str) -> list[object]:
    kind = str(result.get("type"))
    if str(result.get("from_name")) != name or kind not in READ:
        return []
    value = as_object(result.get("value")).get(kind)
    if kind == "taxonomy":  # paths from the root
        return ["/".join(map(str, as_list(path))) for path in as_list(value)]
    return as_list(value) if kind == "choices" else [value]


def _texts(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Return the columns that hold strings in every row."""
    return [name for name in rows[0] if all(isinstance(row.get(name), str) for row in rows)]
