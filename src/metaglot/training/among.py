"""The gradients of a step, of which each rank has its share."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor

from metaglot.models.parts import is_part
from metaglot.training.ranks import Flat, Ranks
from metaglot.types import MetaGrad, Params, Record


class Among(NamedTuple):
    """What a rank must know of the gradients of a step beside its own."""

    ranks: Ranks
    gradients: int  # of the step, of all ranks
    like: Params  # what each of them is shaped like

    def total(self) -> tuple[dict[str, Tensor], Callable[[], None]]:
        """Return tensors to add this rank's gradients to, and a function that adds those of the other ranks.

        One process has none to begin with: its first gradient makes them.  Nor has a divided body, whose gradients are
        summed over the ranks as they are found.
        """
        if self.ranks.alone:
            return {}, lambda: None
        flat = Flat({name: value for name, value in self.like.items() if not is_part(value)})
        return flat.views, lambda: flat.sum_(self.ranks)

    def gathered(self, records: Sequence[Sequence[Record]]) -> list[tuple[Record, ...]]:
        """Return the records of every gradient, in order; an error of another rank is raised here, before any sum."""
        plain = [[dict(record) for record in of_one] for of_one in records]
        return [tuple(of_one) for of_one in self.ranks.in_order(plain, self.gradients)]

    def each(self, own: Sequence[MetaGrad], meet: Callable[[int, Params], None]) -> None:
        """Call `meet` with the number of each gradient of the step and the gradient itself, on every rank.

        A gradient of another rank is held for the length of the call alone.
        """
        flat = Flat(self.like)
        for number in range(self.gradients):
            source = number % self.ranks.count
            if source == self.ranks.rank:
                flat.fill(own[number // self.ranks.count].grads)
            flat.spread_(self.ranks, source=source)
            meet(number, flat.views)
