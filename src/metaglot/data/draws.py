"""Few-shot draws of a labelled table: the fixed ones it brings along, or seeded ones; the same interface.

A draw is a support set of `shot` examples a class, or of another group that shots count (`metaglot.data.strata`);
queries are a subset of what no draw ever touches.  Both are positions in the table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, cast

import numpy as np
import pyarrow as pa

from metaglot.data.no_labels import no_labels
from metaglot.data.strata import Positions, Strata, strata_of_labels
from metaglot.errors import MetaglotError
from metaglot.seeds import generator


class Draws(Protocol):
    """Support sets and queries of one labelled table."""

    @property
    def table(self) -> pa.Table:
        """The canonical table that positions count in."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, or other groups that shots count, sorted."""
        ...

    @property
    def strata(self) -> Strata:
        """The groups of each row."""
        ...

    @property
    def shots(self) -> tuple[int, ...]:
        """The shot counts that are fixed; empty if any will do."""
        ...

    @property
    def draws(self) -> tuple[int, ...]:
        """The draw numbers that are fixed; empty if any will do."""
        ...

    def draws_at(self, shot: int) -> tuple[int, ...]:
        """Return the draw numbers that are fixed for `shot` examples a class; empty if any will do."""
        ...

    @property
    def pools(self) -> tuple[Positions, Positions]:
        """The positions that any support, and those that any queries, are drawn from."""
        ...

    def support(self, shot: int, draw: int) -> Positions:
        """Return the positions of `shot` examples of each class, or as many as there are."""
        ...

    def queries(self, n: int, seed: int) -> Positions:
        """Return the positions of at most n queries, sorted, a function of (n, seed)."""
        ...


@dataclass(frozen=True)
class FixedDraws:
    """The draws that a table brings along in its columns part (support, query), shot and draw."""

    table: pa.Table
    strata: Strata
    shots: tuple[int, ...]
    draws: tuple[int, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The groups of the table."""
        return self.strata.names

    def draws_at(self, shot: int) -> tuple[int, ...]:
        """Return the draws that the table has of `shot`, or of the next larger shot count.

        Raises a MetaglotError where none is larger.
        """
        columns = self._columns
        rows = (columns["part"] == 0) & (columns["shot"] == self._shot_for(shot))
        return tuple(int(draw) for draw in np.unique(columns["draw"][rows]))

    def _shot_for(self, shot: int) -> int:
        _check_shot(shot)
        larger = [one for one in self.shots if one >= shot]
        if not larger:
            raise MetaglotError(f"{shot} shots: the fixed draws have at most {max(self.shots)} a class.")
        return larger[0]

    @property
    def pools(self) -> tuple[Positions, Positions]:
        """The positions of support sets, and those of queries."""
        support, query = (np.flatnonzero(self._columns["part"] == part) for part in (0, 1))
        return support, query

    def support(self, shot: int, draw: int) -> Positions:
        """Return the support set of (shot, draw).

        A shot count that the table lacks is the first `shot` of each class of the next larger one.  Raises a
        MetaglotError where none is larger, or for an unknown draw.
        """
        larger, columns = self._shot_for(shot), self._columns
        at = np.flatnonzero((columns["part"] == 0) & (columns["shot"] == larger) & (columns["draw"] == draw))
        if not len(at):
            there = _listed(self.draws_at(shot))
            raise MetaglotError(f"no fixed draw {draw} of {larger} shots; the table has draws {there} of these.")
        return at if larger == shot else self.strata.first(at, shot)

    def queries(self, n: int, seed: int) -> Positions:
        """Return at most n positions of the evaluation set (part = query), sorted."""
        return _subset(np.flatnonzero(self._columns["part"] == 1), n, seed)

    @cached_property
    def _columns(self) -> dict[str, Positions]:
        part = self.table["part"].to_pylist()
        numbers = {name: _numbers(self.table[name]) for name in ("shot", "draw")}
        coded = np.array([{"support": 0, "query": 1}.get(cast("str", p), -1) for p in part], np.int64)
        return {"part": np.where(self.strata.stratum < 0, -1, coded), **numbers}  # a row without a label is neither


@dataclass(frozen=True)
class RandomDraws:
    """Seeded draws of an ordinary labelled table.

    The query pool is set aside first, so that no support set ever meets it: the rows of split = test if there are
    any (supports then come from train), else a seeded half of each class.  Queries have no class that supports lack.
    """

    table: pa.Table
    strata: Strata
    seed: int = 0
    shots: tuple[int, ...] = ()
    draws: tuple[int, ...] = ()

    def draws_at(self, shot: int) -> tuple[int, ...]:
        """Return nothing: any draw will do."""
        _check_shot(shot)
        return ()

    def support(self, shot: int, draw: int) -> Positions:
        """Return `shot` positions of each class, or what a smaller class has; fewer shots are the first of more."""
        _check_shot(shot)
        rng = generator(self.seed, "support", draw)
        return self.strata.first(rng.permutation(self.pools[0]), shot)

    def queries(self, n: int, seed: int) -> Positions:
        """Return at most n positions of the query pool, sorted."""
        return _subset(self.pools[1], n, seed)

    @property
    def pools(self) -> tuple[Positions, Positions]:
        """The positions that supports, and those that queries, are drawn from."""
        return self._drawn_from

    @property
    def labels(self) -> tuple[str, ...]:
        """The groups that supports have."""
        return self._labels

    @cached_property
    def _labels(self) -> tuple[str, ...]:
        return tuple(name for name, count in self.strata.counts(self.pools[0]).items() if count)

    @cached_property
    def _drawn_from(self) -> tuple[Positions, Positions]:
        return _pools(self.table, self.strata, self.seed)


def draws_of(table: pa.Table, *, seed: int = 0, strata: Strata | None = None) -> FixedDraws | RandomDraws:
    """Return the draws of a canonical table: fixed if it has the columns part, shot and draw, else seeded.

    Labels are classes unless `strata` says otherwise.  Raises a MetaglotError for a table without labels, with one
    class, or without queries.
    """
    if "label" not in table.column_names:
        raise MetaglotError(f"the table has no labels: {no_labels(table)}")
    if table["label"].null_count == table.num_rows:
        raise MetaglotError("the table has no labels. Name their column: --columns label=COLUMN.")
    classes = strata is None
    strata = strata_of_labels(table) if strata is None else strata
    if {"part", "shot", "draw"} <= set(table.column_names):
        return _fixed(table, strata)
    draws = RandomDraws(table=table, strata=strata, seed=seed)
    support, query = draws.pools
    if classes and len(draws.labels) < 2:
        raise MetaglotError(f"only one class ({_listed(draws.labels)}); a task needs two or more.")
    if not strata.learnable(query, support).any():
        least = "Give each class two examples or more." if classes else "Give two examples or more."
        raise MetaglotError(f"no rows are left for queries. {least}")
    return draws


def _fixed(table: pa.Table, strata: Strata) -> FixedDraws:
    shots = cast("list[int]", table["shot"].unique().drop_null().to_pylist())
    draws = cast("list[int]", table["draw"].unique().drop_null().to_pylist())
    fixed = FixedDraws(table, strata, tuple(sorted(shots)), tuple(sorted(draws)))
    if not shots or not draws or not len(fixed.queries(1, 0)):
        raise MetaglotError("the columns part, shot and draw are there, but not both support and query rows.")
    return fixed


def _pools(table: pa.Table, strata: Strata, seed: int) -> tuple[Positions, Positions]:
    codes = strata.stratum
    rows = np.flatnonzero(codes >= 0)
    split = np.array(table["split"].to_pylist() if "split" in table.column_names else [None] * table.num_rows, object)
    query = rows[split[rows] == "test"]
    if 0 < len(query) < len(rows):
        train = rows[split[rows] == "train"]
        support = train if len(train) else rows[split[rows] != "test"]
        return support, query[strata.learnable(query, support)]
    mixed = generator(seed, "queries").permutation(rows)
    groups = range(codes.max(initial=-1) + 1)
    halves = [(at[len(at) // 2 :], at[: len(at) // 2]) for at in (mixed[codes[mixed] == group] for group in groups)]
    return np.sort(np.concatenate([s for s, _ in halves])), np.sort(np.concatenate([q for _, q in halves]))


def _subset(pool: Positions, n: int, seed: int) -> Positions:
    if n < 1:
        raise MetaglotError(f"{n} queries; ask for one or more.")
    return np.sort(generator(seed, "query subset").permutation(pool)[:n])


def _numbers(column: pa.ChunkedArray) -> Positions:
    return column.fill_null(-1).to_numpy().astype(np.int64)


def _check_shot(shot: int) -> None:
    if shot < 1:
        raise MetaglotError(f"{shot} shots; ask for one or more.")


def _listed(items: Sequence[object]) -> str:
    return ", ".join(str(item) for item in items[:20])
