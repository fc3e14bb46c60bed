"""Several labels in one cell: lists of JSON (or as Python and numpy write them, and sets), and labels joined by "|"."""

import json
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import cast

from metaglot.data.labels import Column, Label, is_absent, normal, scalar_of
from metaglot.data.literals import BEGINNINGS, literal
from metaglot.errors import MetaglotError

SEPARATOR = "|"  # of labels in one cell


def has_lists(values: Sequence[object]) -> bool:
    """Whether any value is a list."""
    return any(isinstance(value, list | tuple) for value in values)


def list_cells(values: Sequence[object], name: Callable[[int], str]) -> Column:
    """Return each value as the text of a list of JSON: a list of its labels, a label of itself.

    What says that a value is absent is None.  Raises MetaglotError for an item of a list that is no name.
    """
    check_no_indicators(values, name)
    return Column([_list_cell(value, name(row)) for row, value in enumerate(values)], ())


def check_no_indicators(values: Sequence[object], name: Callable[[int], str]) -> None:
    """Raise MetaglotError where each list has a 0 or a 1 for each label, or is a span: its numbers would be labels."""
    lists = {
        row: cast("Sequence[object]", value) for row, value in enumerate(values) if isinstance(value, list | tuple)
    }
    spans = [row for row, own in lists.items() if _is_span(own)]
    if spans and len(spans) == sum(map(bool, lists.values())):
        raise MetaglotError(
            f"{name(spans[0])} is {lists[spans[0]]!r:.60}, which looks like one span, with start, end and label; give "
            "a list of spans for each text, such as [(0, 3, 'PER')]"
        )
    items = [scalar_of(one) for own in lists.values() for one in own]
    marks = bool(items) and all(isinstance(one, int | float) and one in (0, 1) for one in items)
    if marks and len(set(map(len, lists.values()))) == 1 and any(len(set(own)) < len(own) for own in lists.values()):
        row, own = next(iter(lists.items()))
        raise MetaglotError(
            f"{name(row)} is {list(own)!r:.60}: zeros and ones, as of a table with a column for each label; give the "
            "names of the labels that a text has, such as ['billing', 'urgent']"
        )


def _is_span(items: Sequence[object]) -> bool:
    """Whether items are a start, an end and a label."""
    plain = [scalar_of(one) for one in items]
    return [type(one) for one in plain] == [int, int, str] and cast("int", plain[0]) < cast("int", plain[1])


def labels_in(cell: Label | None, where: str) -> frozenset[str]:
    """Return the labels of a cell: a list or a set, or labels joined by "|"; an empty cell has none.

    Raises MetaglotError for an item that is no name, and for what begins like a list and is none.
    """
    if cell is None:
        return frozenset()
    if not isinstance(cell, str):
        return frozenset({one_label(cell, where)})
    text = cell.strip()
    items = _items(text)
    if items is None and text.startswith("["):
        raise MetaglotError(f"{where} begins with [ and is no list of JSON: {text!r:.60}")
    parts = [part for part in text.split(SEPARATOR) if part.strip()] if items is None else items
    return frozenset(one_label(one, where) for one in parts)


def labels_of_value(value: object, where: str) -> frozenset[str]:
    """Return the labels of a value of Python: a list or a set of names, or one name; what is absent has none.

    Raises MetaglotError, which begins with `where`, for other objects.
    """
    if is_absent(value):
        return frozenset()
    many = [value] if isinstance(value, str | int) and not isinstance(value, bool) else value
    if not isinstance(many, list | tuple | AbstractSet):
        raise MetaglotError(
            f"{where} is {value!r:.60}, of type {type(value).__name__}, not labels; give a list or a set of strings, "
            "empty where a text has none"
        )
    return frozenset(one_label(one, where) for one in cast("Iterable[object]", many))


def one_label(value: object, where: str) -> str:
    """Return one label of several in its one form, a whole number by its digits; raise MetaglotError for no name."""
    plain = scalar_of(value)
    if isinstance(plain, int | float) and not isinstance(plain, bool) and float(plain).is_integer():
        return str(int(plain))
    text = normal(plain) if isinstance(plain, str) else None
    if text is None:
        raise MetaglotError(f"{where} has {value!r:.60} among its labels, which is no name; give strings")
    return text


def absent_notes(absent: int, rows: int) -> list[str]:
    """Return a note on values that are absent, which several labels a text have a meaning for."""
    what = "an empty cell, null, None, NaN and what pandas writes for them are read so"
    way = "leave out texts whose labels are not known"
    return [f"{absent} of {rows} texts have no label: {what}; {way}"] if absent else []


def read_values(values: Sequence[object], name: Callable[[int], str]) -> tuple[list[frozenset[str]], list[str]]:
    """Return the labels of values of Python, and notes on those that are absent or that a file would read otherwise.

    Raises MetaglotError as `labels_of_value` does, and for rows of zeros and ones.
    """
    check_no_indicators(values, name)
    joined = [one for one in values if isinstance(one, str) and (SEPARATOR in one or is_list(one))]
    notes = absent_notes(sum(map(is_absent, values)), len(values))
    if joined:
        notes.append(
            f"{len(joined)} labels are one string each, such as {joined[0]!r:.60}, and are read as one label; give a "
            "set or a list of labels, such as {'billing', 'angry'}"
        )
    return [labels_of_value(value, name(row)) for row, value in enumerate(values)], notes


def as_cell(labels: Sequence[str]) -> str:
    """Return labels joined by "|"; in JSON where that would be read otherwise."""
    odd = any(SEPARATOR in label or label.startswith("[") for label in labels)
    return json.dumps(list(labels), ensure_ascii=False) if odd else SEPARATOR.join(labels)


def is_list(text: str) -> bool:
    """Whether a text is a list or a set of strings."""
    items = _items(text) if text.startswith(BEGINNINGS) else None
    return items is not None and all(isinstance(one, str) for one in items)


def _items(text: str) -> list[object] | None:
    """Return the items of a list or a set of JSON, Python or numpy (as pandas writes cells); None for what is none."""
    value = literal(text)
    return list(cast("Iterable[object]", value)) if isinstance(value, list | tuple | AbstractSet) else None


def _list_cell(value: object, where: str) -> str | None:
    plain = scalar_of(value)
    if is_absent(plain):
        return None
    many = cast("Sequence[object]", plain) if isinstance(plain, list | tuple) else [plain]
    return json.dumps([one_label(one, where) for one in many], ensure_ascii=False)
