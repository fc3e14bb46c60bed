"""Which kind of task a labelled table is, by the look of its labels; imports no torch."""

from collections.abc import Sequence

import pyarrow as pa

from metaglot.choices import FAMILIES, Cells, Kind
from metaglot.data.answer_columns import ANSWERING
from metaglot.data.candidate_columns import CHOOSING
from metaglot.data.columns import near_name
from metaglot.data.label_lists import is_list
from metaglot.data.labels import ANSWERS, CHOICES, LISTS, SPANS, TEXTS, label_kind
from metaglot.data.span_columns import KIND
from metaglot.data.written_columns import WRITING
from metaglot.errors import MetaglotError

FEW = 3  # different numbers from which on strings of digits are numbers, and not names of versions


def kind_called(name: str) -> Kind:
    """Return what is known of a kind of task before its family is imported; raise MetaglotError for a name of none."""
    if name not in FAMILIES:
        names = list(FAMILIES)
        raise MetaglotError(f"unknown task {name!r:.60}{near_name(name, names)}; choose from {', '.join(names)}")
    return FAMILIES.kinds[name]


def cells_of(task: str | None) -> Cells:
    """Return what the cells of `label` are read as (`read_table`) for a kind of task; None: by the look."""
    return "look" if task is None else kind_called(task).cells


def task_of(table: pa.Table) -> str:
    """Return the kind of task, a key of `choices.FAMILIES`, that the labels of a table look like.

    Parts of texts are spans, parts of second texts are answers, lists are several labels a text, numbers of which some
    have a fraction are quantities, and all others are classes.
    """
    if "label" not in table.column_names:
        return "classification"
    kind = {SPANS: KIND, ANSWERS: ANSWERING, CHOICES: CHOOSING, TEXTS: WRITING}.get(label_kind(table))
    if kind is not None:
        return kind
    labels = [label for label in table["label"].to_pylist() if label is not None]
    if label_kind(table) == LISTS or (labels and all(map(is_list, labels))):
        return "multilabel"
    return "regression" if label_kind(table) == "number" or _has_fractions(labels) else "classification"


def _has_fractions(labels: Sequence[str]) -> bool:
    """Whether labels are FEW different numbers or more, of which not all are whole."""
    try:
        numbers = set(map(float, labels))
    except ValueError:
        return False
    return len(numbers) >= FEW and not all(map(float.is_integer, numbers))
