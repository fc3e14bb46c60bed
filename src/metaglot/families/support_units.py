"""What a head in closed form is made of: features of examples, and of the names of outputs."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize


class SupportUnits(NamedTuple):
    """Features with their targets, as numbers that the family reads (`Family.tensor`)."""

    features: Tensor  # [n, D], unit length
    targets: Tensor  # [n], the class of each, or [n, K]
    is_class_name: Tensor  # [n] bool, the feature of a name and not of an example

    @property
    def numbers(self) -> Tensor:  # [n]
        """The class of each."""
        return self.targets

    def at(self, rows: Tensor) -> "SupportUnits":
        """Return some rows, by number or by mask."""
        return SupportUnits(self.features[rows], self.targets[rows], self.is_class_name[rows])

    def plus(self, other: "SupportUnits") -> "SupportUnits":
        """Return the rows of both."""
        return SupportUnits(*(torch.cat(both) for both in zip(self, other, strict=True)))


def support_units(features: Tensor, targets: Tensor, *, is_class_name: bool) -> SupportUnits:  # [n, D], [n] or [n, K]
    """Return features of examples, or of names."""
    unit = normalize(features.float(), dim=-1)
    named = torch.full((len(unit),), is_class_name, dtype=torch.bool, device=unit.device)
    return SupportUnits(unit, targets, named)
