"""What a look at the targets of a kind tells: of labels, and of numbers."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from metaglot.data.labels import Label

LookAt = Callable[[Sequence[Label | None], Callable[[int], str]], "Facts"]
"""Cells of the column label, and what an error calls that of a row -> what there is to tell of them."""


class Grid(NamedTuple):
    """A table to show."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Facts(NamedTuple):
    """What there is to tell of the targets of a table."""

    targets: Sequence[Hashable | None]  # of the rows: the same text with unlike targets is a conflict
    lines: Sequence[tuple[str, str]]  # what, and how much, in words
    plain: Mapping[str, Any]  # the same as JSON
    grids: Sequence[Grid] = ()
    notes: Sequence[str] = ()
    conflict: str = "with unlike labels"  # how the same text stands more than once with targets that differ
