"""What shots count: the groups that each row of a table is an example of, be it a class or several labels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa

Positions = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class Strata:
    """The groups of the rows of a table."""

    names: tuple[str, ...]  # of the groups that shots count
    stratum: Positions  # [rows], by which rows are set aside for queries; -1: the row is no example
    members: np.ndarray | None = None  # [rows, names] bool, the groups of each row; None: the stratum is its group
    each: str = "a class"  # what a shot is an example of; empty: of the task

    def first(self, at: Positions, shot: int) -> Positions:
        """Return rows of `at`, in its order, such that each group has `shot` examples, or as many as there are.

        Where each row is of one group, these are the first `shot` of each.  Where a row is of several, groups take
        turns, the rarest first: one that has too few takes its next row, which counts for all groups of the row.  Then
        come rows of no group, as large a share of the rows as of `at`.  Fewer shots are some of those of more shots.
        """
        return first_of_each(at, self.stratum, shot) if self.members is None else self._in_turn(at, shot)

    def counts(self, at: Positions) -> dict[str, int]:
        """Return how many of some rows each group has."""
        if self.members is None:
            numbers = np.bincount(self.stratum[at][self.stratum[at] >= 0], minlength=len(self.names))
        else:
            numbers = self.members[at].sum(0)
        return dict(zip(self.names, map(int, numbers), strict=True))

    def learnable(self, at: Positions, support: Positions) -> np.ndarray:  # [len(at)] bool
        """Return which rows have no group that all of `support` lack."""
        if self.members is None:
            return np.isin(self.stratum[at], self.stratum[support])
        return np.logical_not(self.members[at][:, ~self.members[support].any(0)].any(1))

    def _in_turn(self, at: Positions, shot: int) -> Positions:
        members = cast("np.ndarray", self.members)[at]
        waiting = [list(np.flatnonzero(members[:, group])[::-1]) for group in range(members.shape[1])]
        order = np.argsort(members.sum(0), kind="stable")
        have, taken, picked = np.zeros(members.shape[1], int), np.zeros(len(at), bool), list[int]()
        for turn in range(1, shot + 1):
            for group in order:
                while have[group] < turn and waiting[group]:
                    row = waiting[group].pop()
                    if not taken[row]:
                        taken[row] = True
                        picked.append(row)
                        have += members[row]
        bare = np.flatnonzero(~members.any(1))
        share = len(bare) / max(1, len(at) - len(bare))
        return at[[*picked, *bare[: int(share * len(picked) + 0.5)]]]


def strata_of_labels(table: pa.Table) -> Strata:
    """Return the strata of a table whose labels are classes."""
    names = tuple(sorted(cast("list[str]", table["label"].unique().drop_null().to_pylist())))
    number = {name: i for i, name in enumerate(names)}
    encoded = table["label"].combine_chunks().dictionary_encode()
    there = cast("list[str]", encoded.dictionary.to_pylist())
    lookup = np.array([*(number.get(name, -1) for name in there), -1], np.int64)
    return Strata(names, lookup[encoded.indices.fill_null(len(there)).to_numpy(zero_copy_only=False)])


def strata_of_groups(strata: Sequence[str | None], groups: Iterable[Sequence[str]], *, each: str) -> Strata:
    """Return the strata of rows that are of any number of groups; a row whose stratum is None is no example."""
    own_groups = [tuple(own) for own in groups]
    names = tuple(sorted({name for own in own_groups for name in own}))
    number = {name: i for i, name in enumerate(sorted({one for one in strata if one is not None}))}
    column = {name: i for i, name in enumerate(names)}
    members = np.zeros((len(own_groups), len(names)), bool)
    for row, own in enumerate(own_groups):
        members[row, [column[name] for name in own]] = True
    return Strata(names, np.array([-1 if one is None else number[one] for one in strata], np.int64), members, each)


def first_of_each(at: Positions, codes: Positions, shot: int) -> Positions:
    """Return the first `shot` of each class in the order of `at`, class by class."""
    order = np.argsort(codes[at], kind="stable")
    sorted_codes = codes[at][order]
    starts = np.searchsorted(sorted_codes, sorted_codes)
    return at[order[np.arange(len(at)) - starts < shot]]
