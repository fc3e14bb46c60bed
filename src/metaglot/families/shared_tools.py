"""What a family says of a head that all tasks of the kind share (`HeadSpec.shared`)."""

from typing import Protocol

from metaglot.families.records import Schema, Solved
from metaglot.families.support_units import SupportUnits
from metaglot.types import Params


class SharedTools(Protocol):
    """What examples make of the head that all tasks of a kind share."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs, which are the same in every task."""
        ...

    @property
    def unlearnt(self) -> str:
        """The sentence that says what it means that a model has learnt no such head, and the way out."""
        ...

    @property
    def rate(self) -> float:
        """The share of the usual rates that gradient steps have: less where they would unlearn how to read."""
        ...

    def solve(self, units: SupportUnits, schema: Schema, learnt: Params) -> Solved:
        """Return the learnt head (`head.*`) as far as the units change it.

        It is the learnt head itself where there are no units, and a head of the units alone where none was learnt.
        """
        ...
