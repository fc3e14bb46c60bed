"""The best constant prediction from the support set: the floor that a method must beat (`Family.floor`).

For classes it is the most frequent one; for labels all of them, each with its share as its probability, which no
constant beats in macro F1; for numbers their median, the constant with the least mean absolute error.  All
candidates of a text are equally likely.  Of texts that are written it is the target that has most in common with the
others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaglot.adaptation.checks import chooses
from metaglot.data.examples import Examples, Inputs
from metaglot.evaluation.baselines.method import Fitted, FittedFunction
from metaglot.evaluation.baselines.ranked import even, ranked
from metaglot.evaluation.baselines.start import Start
from metaglot.evaluation.baselines.written import constant
from metaglot.families.family import AnyFamily


@dataclass(frozen=True)
class Prior:
    """A constant."""

    name: str = "prior"
    model: str = "-"

    @classmethod
    def begin(cls, start: Start) -> "Prior":
        """Return the baseline, which needs no model."""
        del start
        return cls()

    @property
    def settings(self) -> Mapping[str, object]:
        """Return nothing: there is no choice."""
        return {}

    def why_not(self, family: AnyFamily) -> None:
        """Return None: it learns every kind of task."""
        del family

    def fit(self, support: Examples[Any], family: AnyFamily, *, shot: int, seed: int) -> Fitted:
        """Return the constant of the support set."""
        del shot, seed
        if chooses(family):
            return ranked(family, support, even)
        if family.writes is not None:
            return constant(family, support)
        schema = family.schema(support.targets)
        params = family.floor(support.targets, schema)
        row = family.link(params["head.bias"][None], schema, params).numpy()

        def values(inputs: Inputs) -> np.ndarray:
            return np.repeat(row, len(inputs), axis=0)

        return FittedFunction(family, schema, values, params)
