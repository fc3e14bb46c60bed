"""Several labels in one cell: lists of JSON (or as Python writes them), and labels joined by "|"."""

import ast
import json
from collections.abc import Callable, Sequence
from typing import cast

from metaglot.data.labels import Column, Label, label_text, normal
from metaglot.errors import MetaglotError

SEPARATOR = "|"  # of labels in one cell
NO_LIST = (ValueError, SyntaxError, RecursionError, MemoryError)


def has_lists(values: Sequence[object]) -> bool:
    """Whether any value is a list."""
    return any(isinstance(value, list | tuple) for value in values)


def list_cells(values: Sequence[object], name: Callable[[int], str]) -> Column:
    """Return each value as the text of a list of JSON: a list of its labels, a label of itself.

    What says that a value is absent is None.  Raises MetaglotError for an item of a list that is no name.
    """
    return Column([_list_cell(value, name(row)) for row, value in enumerate(values)], ())


def labels_in(cell: Label | None, where: str) -> frozenset[str]:
    """Return the labels of a cell: a list, or labels joined by "|"; an empty cell has none.

    Raises MetaglotError for an item that is no name, and for what begins like a list and is none.
    """
    if cell is None:
        return frozenset()
    text = label_text(cell).strip()
    if not text.startswith("["):
        return frozenset(one_label(part, where) for part in text.split(SEPARATOR) if part.strip())
    items = _items(text)
    if items is None:
        raise MetaglotError(f"{where} begins with [ and is no list of JSON: {text!r:.60}")
    return frozenset(one_label(one, where) for one in items)


def one_label(value: object, where: str) -> str:
    """Return one label of several in its one form; raise MetaglotError for what is no name."""
    text = normal(value) if isinstance(value, str) else None
    if text is None:
        raise MetaglotError(f"{where} has {value!r:.60} among its labels, which is no name; give strings")
    return text


def as_cell(labels: Sequence[str]) -> str:
    """Return labels joined by "|"; in JSON where that would be read otherwise."""
    odd = any(SEPARATOR in label or label.startswith("[") for label in labels)
    return json.dumps(list(labels), ensure_ascii=False) if odd else SEPARATOR.join(labels)


def is_list(text: str) -> bool:
    """Whether a text is a list of strings."""
    items = _items(text) if text.startswith("[") else None
    return items is not None and all(isinstance(one, str) for one in items)


def _items(text: str) -> list[object] | None:
    """Return the items of a list of JSON, or as Python writes one (and pandas a cell of csv); None for what is none."""
    for read in (json.loads, ast.literal_eval):
        try:
            value: object = read(text)
        except NO_LIST:
            continue
        return cast("list[object]", value) if isinstance(value, list) else None
    return None


def _list_cell(value: object, where: str) -> str | None:
    if value is None or (isinstance(value, str) and normal(value) is None):
        return None
    many = cast("Sequence[object]", value) if isinstance(value, list | tuple) else [value]
    names = [str(one) if isinstance(one, int) and not isinstance(one, bool) else one for one in many]
    return json.dumps([one_label(name, where) for name in names], ensure_ascii=False)
