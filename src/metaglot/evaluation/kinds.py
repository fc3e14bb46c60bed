"""The kind of a task in an evaluation: its targets, and the groups that shots count."""

from typing import Any

import pyarrow as pa

from metaglot.data.draws import Draws, draws_of
from metaglot.data.strata import strata_of_groups
from metaglot.families.classification import ClassificationFamily
from metaglot.families.family import AnyFamily
from metaglot.families.targets import targets_of

CLASSES = ClassificationFamily()


def targets_in(table: pa.Table, family: AnyFamily) -> list[Any]:
    """Return the target of each row, None for a row without one; raise MetaglotError for a wrong label.

    Classes are strings here, whatever they were in their file.
    """
    return table["label"].to_pylist() if family.exclusive else targets_of(table, family).targets


def draws_by(table: pa.Table, family: AnyFamily, *, seed: int = 0) -> Draws:
    """Return the draws of a table of this kind of task.

    Raises MetaglotError for a table without labels or queries, and where all targets are the same.
    """
    if family.exclusive or "label" not in table.column_names:
        return draws_of(table, seed=seed)
    targets = targets_in(table, family)
    rows = [row for row, target in enumerate(targets) if target is not None]
    present = [targets[row] for row in rows]
    if present:
        family.check(present)
    strata: list[str | None] = [None] * len(targets)
    groups: list[tuple[str, ...]] = [()] * len(targets)
    for row, stratum, group in zip(rows, family.strata(present), family.counted(present), strict=True):
        strata[row], groups[row] = stratum, group
    return draws_of(table, seed=seed, strata=strata_of_groups(strata, groups, each=family.each))
