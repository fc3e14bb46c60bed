"""What a head in closed form is made of: features of examples, and of the names of outputs."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize


class SupportUnits(NamedTuple):
    """Features with their targets, as numbers that the family reads (`Family.tensor`, `Objective.units`)."""

    features: Tensor  # [n, D], unit length where they are those of whole texts
    targets: Tensor  # [n], the class of each, or [n, K]
    is_class_name: Tensor  # [n] bool, the feature of a name and not of an example
    owner: Tensor  # [n], the example or name that each is of, counted from 0

    @property
    def numbers(self) -> Tensor:  # [n]
        """The class of each."""
        return self.targets

    @property
    def example_count(self) -> int:
        """How many examples they are of."""
        return int(self.owner[~self.is_class_name].unique().numel())

    def at(self, rows: Tensor) -> "SupportUnits":
        """Return some rows, by number or by mask."""
        return SupportUnits(*(part[rows] for part in self))

    def of(self, examples: Sequence[int]) -> "SupportUnits":
        """Return the units of some examples, by their numbers, in their order and counted anew; names do not count."""
        every, number = self.owner[~self.is_class_name].unique(return_inverse=True)
        place = self.owner.new_full((len(every) + 1,), -1)  # the last: of names
        place[list(examples)] = torch.arange(len(examples), device=place.device)
        own = self.owner.new_full((len(self.owner),), -1)
        own[~self.is_class_name] = place[number]
        rows = own.argsort(stable=True)[int((own < 0).sum()) :]
        return self.at(rows)._replace(owner=own[rows])

    def plus(self, other: "SupportUnits") -> "SupportUnits":
        """Return the rows of both; the owners of the second follow those of the first."""
        after = int(self.owner.max()) + 1 if len(self.owner) else 0
        later = other._replace(owner=other.owner + after)
        return SupportUnits(*(torch.cat(both) for both in zip(self, later, strict=True)))


def support_units(features: Tensor, targets: Tensor, *, is_class_name: bool) -> SupportUnits:  # [n, D], [n] or [n, K]
    """Return features of whole examples, or of names."""
    unit = normalize(features.float(), dim=-1)
    named = torch.full((len(unit),), is_class_name, dtype=torch.bool, device=unit.device)
    return SupportUnits(unit, targets, named, torch.arange(len(unit), device=unit.device))
