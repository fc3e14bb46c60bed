"""What kinds of tasks have alike whose targets are of parts of a text, or are texts: a base of their families."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

from torch import Tensor

from metaglot.data.labels import Label
from metaglot.errors import MetaglotError
from metaglot.families.records import Linear, Schema
from metaglot.types import Objective, Row

T = TypeVar("T")


class OfParts(ABC, Generic[T]):
    """The half of a family that asks for one target of a whole text, which such a kind does not have.

    `parts` says in a sentence what its targets are of; whoever asks for more than there is reads it.
    """

    parts: ClassVar[str]

    @abstractmethod
    def objective(self, schema: Schema, pad_token_id: int) -> Objective:
        """Return what algorithms learn by."""

    def contrasted(self, schema: Schema, pad_token_id: int, weight: float) -> Objective:
        """Return what algorithms learn by: whole texts are not compared."""
        del weight
        return self.objective(schema, pad_token_id)

    def alone(self, output: Label) -> T | None:
        """Return None: the name of an output is no text that has it."""
        del output

    def tensor(self, targets: Sequence[T], schema: Schema) -> Tensor:
        """Raise MetaglotError: a target is not of the whole text."""
        del targets, schema
        raise MetaglotError(f"{self.parts}, and are no numbers of whole texts")

    def row(self, target: T, schema: Schema) -> Row:
        """Raise MetaglotError: a target alone makes no row of a batch."""
        del target, schema
        raise MetaglotError(f"{self.parts}, and make no row of a batch without them; Family.tokens or writes does")

    def linear(self, features: Any, targets: Sequence[T], schema: Schema, *, c: float) -> Linear:
        """Raise MetaglotError: the features of a whole text do not tell its parts."""
        del features, targets, schema, c
        raise MetaglotError(f"{self.parts}: a linear model of whole texts does not tell them; leave it out")
