"""Auto: the exact gradient by the quickest way that fits into memory, which a run chooses once, at its start.

The choice (unrolled, mixed, adjoint) is made in `training/estimator.py` from a measurement.  Until then it is unrolled:
all of them give the same gradient.
"""

from dataclasses import dataclass

from metaglot.inner.estimators.parts import Estimate, Inner
from metaglot.inner.estimators.unrolled import Unrolled
from metaglot.types import Episode, Params, Problem


@dataclass(frozen=True)
class Auto:
    """The exact gradient; how it is found is left open."""

    name: str = "auto"
    second_order: bool = True
    exact: bool = True

    def __call__(self, inner: Inner, problem: Problem, meta: Params, episode: Episode, seed: int | None) -> Estimate:
        """Return the exact meta-gradient."""
        return Unrolled()(inner, problem, meta, episode, seed)
