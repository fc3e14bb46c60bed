"""doccano, JSON Lines: `text` (or `data`) with `label`, a list of strings; older ones with `annotations`.

https://doccano.github.io/doccano/tutorial/
"""

from collections.abc import Mapping, Sequence

from metaglot.data.exports.answers import Answer, Export, agreed, as_list, as_object, marked

MARKS = ("id", "Comments", "comments", "annotation_approver", "meta")
LABELS = ("label", "labels", "annotations")


def doccano(rows: Sequence[Mapping[str, object]]) -> Export | None:
    """Return the rows of an export of doccano; None for what is none."""
    key = next((name for name in LABELS if all(isinstance(row.get(name), list) for row in rows)), None)
    text = next((name for name in ("text", "data") if all(isinstance(row.get(name), str) for row in rows)), None)
    if key is None or text is None or not any(mark in rows[0] for mark in MARKS):
        return None
    rest = [{name: value for name, value in row.items() if name != key} for row in rows]
    if any(_is_span(label) for row in rows for label in as_list(row[key])):
        spans = [marked(_people(as_list(row[key])) if key == "annotations" else [as_list(row[key])]) for row in rows]
        return Export("doccano", rest, {}, _notes(spans), texts=(text,), spans=spans)
    answers = [_annotated(as_list(row[key])) if key == "annotations" else _chosen(as_list(row[key])) for row in rows]
    return Export("doccano", rest, {"label": answers}, texts=(text,))


def _is_span(label: object) -> bool:
    return isinstance(label, list) or "start_offset" in as_object(label)


def _people(annotations: Sequence[object]) -> list[list[object]]:
    """Return the spans of each person, such as {"label": "PER", "start_offset": 0, "end_offset": 3, "user": 1}."""
    people: dict[str, list[object]] = {}
    for one in annotations:
        people.setdefault(str(as_object(one).get("user")), []).append(one)
    return list(people.values()) or [[]]


def _notes(spans: Sequence[Answer]) -> tuple[str, ...]:
    none = sum(answer.label == [] for answer in spans)
    words = "texts have no span, and are learnt from; doccano writes texts that nobody looked at in the same way"
    return (f"{none} {words}",) if none else ()


def _chosen(labels: list[object]) -> Answer:
    """Return the answer in a list of labels; a text that nobody looked at has an empty one too, which is no answer."""
    return agreed([labels] if labels else [])


def _annotated(annotations: Sequence[object]) -> Answer:
    """Return the answer in annotations such as {"label": 3, "user": 1}."""
    people: dict[str, list[object]] = {}
    for one in map(as_object, annotations):
        people.setdefault(str(one.get("user")), []).append(one.get("label"))
    return agreed(list(people.values()))
