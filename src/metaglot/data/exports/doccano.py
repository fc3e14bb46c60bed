"""doccano, JSON Lines: `text` (or `data`) with `label`, a list of strings; older ones with `annotations`.

https://doccano.github.io/doccano/tutorial/
"""

from collections.abc import Mapping, Sequence

from metaglot.data.exports.answers import Answer, Export, agreed, as_list, as_object
from metaglot.errors import MetaglotError

MARKS = ("id", "Comments", "comments", "annotation_approver", "meta")
LABELS = ("label", "labels", "annotations")


def doccano(rows: Sequence[Mapping[str, object]]) -> Export | None:
    """Return the rows of an export of doccano; None for what is none.

    Raises MetaglotError where labels mark parts of texts.
    """
    key = next((name for name in LABELS if all(isinstance(row.get(name), list) for row in rows)), None)
    text = next((name for name in ("text", "data") if all(isinstance(row.get(name), str) for row in rows)), None)
    if key is None or text is None or not any(mark in rows[0] for mark in MARKS):
        return None
    for number, row in enumerate(rows, start=1):
        if any(isinstance(label, list) for label in as_list(row[key])):
            raise MetaglotError(
                f"an export of doccano whose row {number} marks parts of a text (spans). metaglot learns classes of "
                "texts: export a project of text classification."
            )
    answers = [_annotated(as_list(row[key])) if key == "annotations" else _chosen(as_list(row[key])) for row in rows]
    rest = [{name: value for name, value in row.items() if name != key} for row in rows]
    return Export("doccano", rest, {"label": answers}, texts=(text,))


def _chosen(labels: list[object]) -> Answer:
    """Return the answer in a list of labels; a text that nobody looked at has an empty one too, which is no answer."""
    return agreed([labels] if labels else [])


def _annotated(annotations: Sequence[object]) -> Answer:
    """Return the answer in annotations such as {"label": 3, "user": 1}."""
    people: dict[str, list[object]] = {}
    for one in map(as_object, annotations):
        people.setdefault(str(one.get("user")), []).append(one.get("label"))
    return agreed(list(people.values()))
