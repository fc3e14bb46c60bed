"""What `DataFrame.to_json` writes in each of its orients, and lists of objects within an object, as objects.

https://pandas.pydata.org/docs/reference/api/pandas.DataFrame.to_json.html
"""

from typing import NamedTuple, cast

from metaglot.data.columns import Pick
from metaglot.data.exports.answers import as_list, as_object
from metaglot.data.exports.spacy import spacy_rows


class Objects(NamedTuple):
    """Rows of a JSON value that is no plain array of objects."""

    form: str
    rows: list[dict[str, object]]


def objects_of(value: object, pick: Pick) -> Objects | None:
    """Return the rows of any of these forms; None for other values."""
    return _values(as_list(value)) or _split(value) or _wrapped(value) or _annotated(value) or _oriented(value, pick)


def _values(rows: list[object]) -> Objects | None:
    """[["a text", "a label"], …]: columns go by number."""
    if not rows or not all(isinstance(row, list) and row for row in rows):
        return None
    return Objects("json (orient values)", [_numbered(as_list(row)) for row in rows])


def _numbered(row: list[object]) -> dict[str, object]:
    return {str(number): cell for number, cell in enumerate(row, start=1)}


def _split(value: object) -> Objects | None:
    """{"columns": ["text", "label"], "index": […], "data": [["a text", "a label"], …]}."""
    columns, data = as_list(as_object(value).get("columns")), as_list(as_object(value).get("data"))
    if not columns or not data or not all(len(as_list(row)) == len(columns) for row in data):
        return None
    names = [str(name) for name in columns]
    return Objects("json (orient split)", [dict(zip(names, as_list(row), strict=True)) for row in data])


def _wrapped(value: object) -> Objects | None:
    """{"data": [{"text": …}, …]}: the one list of objects that the object holds, whatever its name."""
    lists = {key: rows for key, one in as_object(value).items() if (rows := _objects(one))}
    if len(lists) != 1:
        return None
    key, rows = next(iter(lists.items()))
    return Objects(f"json (the list {key!r} within it)", rows)


def _annotated(value: object) -> Objects | None:
    """{"classes": […], "annotations": [["a text", {"entities": […]}], …]}: pairs of spaCy."""
    pairs = spacy_rows([one for one in as_list(as_object(value).get("annotations")) if one is not None])
    rows = _objects(pairs)
    return None if rows is None else Objects("json (the list 'annotations' within it)", rows)


def _objects(value: object) -> list[dict[str, object]] | None:
    rows = as_list(value)
    return cast("list[dict[str, object]]", rows) if rows and all(isinstance(one, dict) for one in rows) else None


def _oriented(value: object, pick: Pick) -> Objects | None:
    """{"text": {"0": …}, "label": {"0": …}} (columns) or {"0": {"text": …, "label": …}, …} (index)."""
    outer = as_object(value)
    inner = [as_object(one) for one in outer.values()]
    if not inner or not all(inner):
        return None
    names = list(dict.fromkeys(name for one in inner for name in one))
    if pick.fits(names) and not pick.fits(list(outer)):
        return Objects("json (orient index)", [dict(one) for one in inner])
    rows = [{column: as_object(outer[column]).get(name) for column in outer} for name in names]
    return Objects("json (orient columns)", rows)
