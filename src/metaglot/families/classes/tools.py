"""What a kind of task has whose outputs exclude one another, gathered for those who ask its family."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from metaglot.families.classes.expected import Expected, expected
from metaglot.families.classes.explanation import Shares, shares
from metaglot.families.classes.scope import Scope, scope_of
from metaglot.families.heads.classes import CONFIDENCE, Solver, confidence, held_out, prototypes
from metaglot.families.support_units import SupportUnits
from metaglot.models.heads import prototype_layer


@dataclass(frozen=True)
class ClassTools:
    """Questions about classes; `count` is how many there are."""

    def scope(self, units: SupportUnits, count: int) -> Scope:
        """Return the border around the classes."""
        return scope_of(units, count)

    def shares(self, units: SupportUnits, count: int, metric: str, solver: str) -> Shares:
        """Return what each unit adds to the scores of any text."""
        return shares(units, count, metric, _known(solver))

    def expected(self, units: SupportUnits, count: int, metric: str, *, gain: float, solver: str) -> Expected | None:
        """Return the accuracy to expect; None where a class has fewer than two examples."""
        return expected(units, count, metric, gain=gain, solver=_known(solver))

    def confidence(self, scores: Tensor, numbers: Tensor) -> float:  # [m, C], [m]
        """Return by which factor scores of examples set aside deserve to be more confident."""
        return confidence(scores, numbers, start=1.0)

    def over_chance(self, units: SupportUnits, count: int, metric: str) -> float:
        """Return how much better than the frequencies of the classes heads of the others tell examples set aside."""
        scores, aside = held_out(units, count, metric)
        if not len(aside):
            return 0.0
        prior = (torch.bincount(aside, minlength=count) / len(aside)).double().log()
        beta = confidence(scores, aside, start=CONFIDENCE["ridge"], prior=prior)
        return float(-prior[aside].sum() - cross_entropy(beta * scores + prior, aside, reduction="sum"))

    def prototypes(self, units: SupportUnits, count: int, metric: str, scale: Tensor) -> dict[str, Tensor]:
        """Return the head of prototypes alone."""
        return prototype_layer(prototypes(units, count).float(), scale, metric)


def _known(solver: str) -> Solver:
    return "logistic" if solver == "logistic" else "ridge"
