"""The kind of a task that is evaluated: its targets, and what shots count of them."""

from typing import Any

import pyarrow as pa

from metaglot.data.draws import Draws, draws_of
from metaglot.data.strata import strata_of_groups
from metaglot.families.classification import ClassificationFamily
from metaglot.families.family import AnyFamily
from metaglot.families.targets import targets_of

CLASSES = ClassificationFamily()


def targets_in(table: pa.Table, family: AnyFamily) -> list[Any]:
    """Return the target of each row, None for a row without one; raise MetaglotError for a label that is none.

    Classes are strings here, whatever they were in their file.
    """
    return table["label"].to_pylist() if family.exclusive else targets_of(table, family).targets


def draws_by(table: pa.Table, family: AnyFamily, *, seed: int = 0) -> Draws:
    """Return the draws of a table of this kind of task.

    Raises MetaglotError for a table without labels or queries, and where there is nothing to learn.
    """
    if family.exclusive or "label" not in table.column_names:
        return draws_of(table, seed=seed)
    targets = targets_in(table, family)
    rows = [row for row, target in enumerate(targets) if target is not None]
    there = [targets[row] for row in rows]
    if there:
        family.check(there)
    strata: list[str | None] = [None] * len(targets)
    groups: list[tuple[str, ...]] = [()] * len(targets)
    for row, stratum, own in zip(rows, family.strata(there), family.counted(there), strict=True):
        strata[row], groups[row] = stratum, own
    return draws_of(table, seed=seed, strata=strata_of_groups(strata, groups, each=family.each))
