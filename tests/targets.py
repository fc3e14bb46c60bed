"""A few targets of each kind of task in `choices.FAMILIES`: all that the suites over kinds need of one."""

from collections.abc import Mapping, Sequence
from typing import Any

from metaglot.data.spans import Span

TARGETS: Mapping[str, Sequence[Any]] = {
    "classification": ["a", "b", "c"],
    "multilabel": [{"a"}, {"b", "c"}, set(), {"c"}],
    "regression": [1.5, 2.0, 4.25, 3.0],
    "ordinal": [1.0, 2.0, 4.0, 2.5],
    "tagging": [(Span(0, 3, "a"),), (Span(0, 2, "b"), Span(6, 8, "c")), (), (Span(0, 2, "c"),)],
}


def targets(kind: str, count: int = 12) -> list[Any]:
    """So many targets, one after the other."""
    return [TARGETS[kind][i % len(TARGETS[kind])] for i in range(count)]
