"""A few targets of each kind of task in `choices.FAMILIES`, and second texts: all that the suites over kinds need."""

from collections.abc import Mapping, Sequence
from typing import Any

from metaglot.choices import FAMILIES
from metaglot.data.answers import Answer
from metaglot.data.candidates import Choice, as_cell
from metaglot.data.spans import Span

TARGETS: Mapping[str, Sequence[Any]] = {
    "classification": ["a", "b", "c"],
    "multilabel": [{"a"}, {"b", "c"}, set(), {"c"}],
    "regression": [1.5, 2.0, 4.25, 3.0],
    "ordinal": [1.0, 2.0, 4.0, 2.5],
    "tagging": [(Span(0, 3, "a"),), (Span(0, 2, "b"), Span(6, 8, "c")), (), (Span(0, 2, "c"),)],
    "choice": [Choice(1), Choice(0), Choice(2), Choice(0, (1,))],
    "question-answering": [Answer("pho", 0, 3), Answer("it", 4, 6), Answer(), Answer("no", 7, 9)],
    "generation": ["a red fruit", "tools", "an old tool\nof iron", "fruit, small"],
}
READ = tuple(kind for kind in FAMILIES if not FAMILIES.over_vocabulary(kind))
"""The kinds that an encoder learns; what a decoder writes has suites of its own (`test_writing.py`)."""
PAIRS: Mapping[str, Sequence[str]] = {
    "question-answering": ["pho it no one", "pho it no"],
    "choice": [
        as_cell(["a red apple", "an old saw", "a small drill"]),
        as_cell(["one pear", "", "a red apple", "saws"]),
    ],
}
"""Second texts of the kinds that need them, so that each target fits to each of them."""


def targets(kind: str, count: int = 12) -> list[Any]:
    """So many targets, one after the other."""
    return [TARGETS[kind][i % len(TARGETS[kind])] for i in range(count)]


def seconds(kind: str, count: int = 12) -> list[str] | None:
    """So many second texts, one after the other; None for kinds of single texts."""
    return [PAIRS[kind][i % len(PAIRS[kind])] for i in range(count)] if kind in PAIRS else None
