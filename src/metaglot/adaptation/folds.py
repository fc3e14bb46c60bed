"""Folds that spread each group of examples evenly, and keep the same text together."""

from typing import Any

from metaglot.data.examples import Examples
from metaglot.families.family import AnyFamily
from metaglot.seeds import generator


def folds_of(
    family: AnyFamily, examples: Examples[Any], count: int, seed: int, *purpose: int | str
) -> list[tuple[list[int], list[int]]]:
    """Return (inside, outside) rows of each fold; every row is outside once.  A function of the seed."""
    part: dict[int, int] = {}
    groups, strata = examples.same(), family.strata(examples.targets)
    for stratum in sorted(set(strata)):
        same = [rows for rows in groups if strata[rows[0]] == stratum]
        for place, which in enumerate(generator(seed, *purpose, stratum).permutation(len(same))):
            part |= dict.fromkeys(same[which], place % count)
    every = range(len(examples))
    return [([i for i in every if part[i] != k], [i for i in every if part[i] == k]) for k in range(count)]
