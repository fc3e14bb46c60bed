"""Which texts stand more than once among others, and which under several labels."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple


class Again(NamedTuple):
    """Rows, from 0, each with an earlier one."""

    repeats: list[tuple[int, int]]  # (row, first row of its text)
    clashes: list[tuple[int, int]]  # (row, first labelled row of its text, which has another label)


def again(keys: Sequence[str], labels: Sequence[Hashable | None]) -> Again:
    """Return the rows whose key, a folded text, stands before, and those whose label there is another."""
    first: dict[str, int] = {}
    labelled: dict[str, int] = {}
    repeats: list[tuple[int, int]] = []
    clashes: list[tuple[int, int]] = []
    for row, (key, label) in enumerate(zip(keys, labels, strict=True)):
        if first.setdefault(key, row) != row:
            repeats.append((row, first[key]))
        if label is not None and labels[labelled.setdefault(key, row)] != label:
            clashes.append((row, labelled[key]))
    return Again(repeats, clashes)
