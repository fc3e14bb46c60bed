"""What the examples of a set are to be mapped to: several labels, a number, or whatever a family reads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from metaglot.data.strata import strata_of_groups
from metaglot.data.windows import Window
from metaglot.families.family import AnyFamily
from metaglot.families.records import Schema
from metaglot.types import Row


@dataclass(frozen=True, eq=False)
class Targets:
    """The targets of a set, by a family; a source without them has one class for each example."""

    family: AnyFamily
    of: Sequence[Any]  # by position; None where there is none
    groups: Sequence[tuple[str, ...]]  # by position: what the example is one of (`Family.counted`)
    outputs: tuple[str, ...]  # of the whole set: labels or classes in order, or the one number
    pad_token_id: int = 0
    windows: Mapping[int, Window] = field(default_factory=dict)  # by position, of texts with many units: what is read
    written: Callable[[int], Row] | None = None  # by position, where a text is written: its row, source and target

    def row(self, position: int, schema: Schema) -> Row:
        """Return what a row of a batch says of an example: its target, and its tokens where a text has many units."""
        if self.written is not None:
            return self.written(position)
        if self.family.tokens is not None:
            window = self.windows[position]
            return {**window.tokens, **self.family.tokens.row(self.of[position], schema, window)}
        return self.family.row(self.of[position], schema)

    def unlabelled(self, rows: np.ndarray) -> np.ndarray:
        """Return those of the rows that are of no group, such as texts without a label."""
        return rows[np.array([not self.groups[int(i)] for i in rows], dtype=bool)]

    def members(self, rows: np.ndarray) -> list[np.ndarray]:
        """Return for each output which of the rows are examples of it; a row may be one of several."""
        number = {name: i for i, name in enumerate(self.outputs)}
        pairs = [(number[name], int(i)) for i in rows for name in self.groups[int(i)]]
        column, row = np.array(pairs, np.int64).reshape(-1, 2).T
        return [row[column == i] for i in range(len(self.outputs))]


def targets_by(
    family: AnyFamily,
    of: Sequence[Any],
    *,
    pad_token_id: int = 0,
    written: Callable[[int], Row] | None = None,
) -> Targets:
    """Return targets that a family has read; an absent one is None, and its example is left out."""
    there = [i for i, target in enumerate(of) if target is not None]
    groups: list[tuple[str, ...]] = [()] * len(of)
    for i, own in zip(there, family.counted([of[i] for i in there]), strict=True):
        groups[i] = own
    outputs = tuple(sorted({name for own in groups for name in own}))
    return Targets(family, of, groups, outputs, pad_token_id, written=written)


class Parts(NamedTuple):
    """The positions of the examples of an episode."""

    support: np.ndarray
    query: np.ndarray


def parts_of(
    targets: Targets, at: np.ndarray, chosen: Sequence[str], *, shots: int, queries: int, most: tuple[int, int]
) -> Parts:
    """Return of the rows `at`, in their order, `shots` examples of each chosen output, and `queries` of others.

    A row that is of several outputs counts for each of them, as in the draws of an evaluation; no more than `most`
    rows are returned.
    """
    support = _first(targets, at, chosen, shots)[: most[0]]
    return Parts(support, _first(targets, at[~np.isin(at, support)], chosen, queries)[: most[1]])


def _first(targets: Targets, at: np.ndarray, chosen: Sequence[str], shot: int) -> np.ndarray:
    groups = [tuple(name for name in targets.groups[int(i)] if name in chosen) for i in at]
    strata = strata_of_groups([""] * len(at), groups, each=targets.family.each)
    return at[strata.first(np.arange(len(at)), shot)]
