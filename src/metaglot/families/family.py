"""A family: all that is particular to a kind of task, from a cell of a file to a line of a report.

The rest of the package asks a family and knows no kind by itself.  A kind is one file: its objective, which is the
tensor half that algorithms learn by (`metaglot.types.Objective`), and its family.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from torch import Tensor

from metaglot.data.labels import Label
from metaglot.families.classes.tools import ClassTools
from metaglot.families.records import Aside, Described, Linear, Name, Places, Predictions, Read, Schema, Solved
from metaglot.families.scoring import Scored
from metaglot.families.shared_tools import SharedTools
from metaglot.families.support_units import SupportUnits
from metaglot.families.token_tools import TokenTools
from metaglot.families.write_tools import WriteTools
from metaglot.metric import Measures
from metaglot.types import Objective, Params, Row

T = TypeVar("T")


class Family(Protocol[T]):
    """The whole of a kind of task; T is what it predicts for a text."""

    @property
    def name(self) -> str:
        """Its name in options, recipes and files."""
        ...

    @property
    def exclusive(self) -> ClassTools | None:
        """What there is where a text is of exactly one of the outputs; None for any other kind."""
        ...

    @property
    def tokens(self) -> TokenTools[T] | None:
        """How tokens become units; None where a text is one unit."""
        ...

    @property
    def shared(self) -> SharedTools | None:
        """What examples make of a head that all tasks of the kind share; None where each begins a head of its own."""
        ...

    @property
    def writes(self) -> WriteTools | None:
        """How sources and targets become tokens, where a text is written; None where one is read alone."""
        ...

    @property
    def decision(self) -> "Decision | None":
        """What finds what `decode` reads beside the head of an algorithm; None where scores decide."""
        ...

    @property
    def probable(self) -> bool:
        """Whether the values of predictions are probabilities."""
        ...

    @property
    def steps(self) -> int:
        """How many gradient steps `auto` takes where it tries nothing: those that most tasks of the kind gain by."""
        ...

    @property
    def measures(self) -> Measures:
        """The metrics of results, the primary one first."""
        ...

    @property
    def each(self) -> str:
        """What shots are examples of: "a class", "a label"; empty where shots are the examples of the whole task."""
        ...

    # From what users give to targets

    def read(self, values: Sequence[object], name: Name) -> Read:
        """Return values of Python in their one form; raise MetaglotError for what is none of the kind."""
        ...

    def parse(self, cells: Sequence[Label | None], name: Name) -> Read:
        """Return the cells of a file's column, as targets; raise MetaglotError for a cell that holds none."""
        ...

    def check(self, targets: Sequence[T]) -> None:
        """Raise MetaglotError where there is nothing to learn, such as one class alone."""
        ...

    def schema(self, targets: Sequence[T]) -> Schema:
        """Return what the targets are made of."""
        ...

    def extended(self, schema: Schema, more: Sequence[T]) -> Schema:
        """Return the schema with more examples: its outputs stay in their places, and new ones follow."""
        ...

    def reduced(self, schema: Schema, targets: Sequence[T]) -> Schema:
        """Return the schema of these examples, the outputs that are left in their earlier order."""
        ...

    def like(self, targets: Sequence[T], schema: Schema, name: Name) -> list[T]:
        """Return targets written as those of the schema are.

        Raises MetaglotError for what looks like another kind of task, such as a number among words.
        """
        ...

    def strata(self, targets: Sequence[T]) -> list[str]:
        """Return the group of each row: what halves and folds spread evenly."""
        ...

    def counted(self, targets: Sequence[T]) -> list[tuple[str, ...]]:
        """Return what each row is an example of, when shots are counted: its class, its labels, or the one number."""
        ...

    def shown(self, target: T) -> str:
        """Return a target as files and tables have it."""
        ...

    def plain(self, target: T) -> Any:
        """Return a target as JSON, from which `read` makes it again."""
        ...

    def described(self, schema: Schema) -> Described:
        """Return what a model card says of it."""
        ...

    def columns(self, schema: Schema) -> tuple[str, ...]:
        """Return the names of the columns of values: the outputs, unless the kind says more of them."""
        ...

    # Tensors

    def tensor(self, targets: Sequence[T], schema: Schema) -> Tensor:
        """Return the targets as numbers, [n] or [n, K]; of no use where a text has many units."""
        ...

    def moved(self, tensor: Tensor, old: Schema, new: Schema) -> Tensor:
        """Return such numbers for a schema that has all outputs of the old one."""
        ...

    def row(self, target: T, schema: Schema) -> Row:
        """Return what a row of a batch says of its target; of no use where a text has many units."""
        ...

    def objective(self, schema: Schema, pad_token_id: int) -> Objective:
        """Return what algorithms learn by."""
        ...

    def contrasted(self, schema: Schema, pad_token_id: int, weight: float) -> Objective:
        """Return what gradient steps learn by: with a contrastive loss of this weight where whole texts compare."""
        ...

    def alone(self, output: Label) -> T | None:
        """Return the target that has one output and no other; None where the name of an output describes no target."""
        ...

    # Heads

    def solve(self, units: SupportUnits, schema: Schema, metric: str) -> Solved:
        """Return the head in closed form that suits the units best."""
        ...

    def solve_after(
        self, before: SupportUnits, units: SupportUnits, schema: Schema, metric: str, *, steps: int, firmness: float
    ) -> Solved:
        """Return the head on features after gradient steps, `firmness` times as confident as is usual.

        The steps tell the examples apart, so that what is chosen by examples set aside is chosen on features from
        `before` the steps.
        """
        ...

    def linear(self, features: Any, targets: Sequence[T], schema: Schema, *, c: float) -> Linear:  # [n, F]
        """Return plain linear models of scikit-learn; C is the inverse of their penalty."""
        ...

    def floor(self, targets: Sequence[T], schema: Schema) -> Params:
        """Return the head that gives every text the same values: head.bias, and what else `decode` reads.

        It is the best constant by the primary metric, and what any method must beat.
        """
        ...

    # Predictions

    def link(self, scores: Tensor, schema: Schema, params: Params) -> Tensor:  # [n, K] -> [n, K]
        """Return probabilities, or numbers on their own scale, of the scores of a head."""
        ...

    def decode(
        self, values: np.ndarray, schema: Schema, params: Params, places: Places | None = None
    ) -> list[T]:  # [n, K] or [M, K] -> [n]
        """Return what is decided of probabilities or numbers; `places` where a text has many units."""
        ...

    def fits(self, params: Params, schema: Schema) -> bool:
        """Return whether a head and a schema that were saved belong to this kind; a file may be damaged."""
        ...

    def score(self, predicted: Predictions, truth: Sequence[T]) -> Scored:
        """Return the metrics; raise MetaglotError where shapes disagree or values are no numbers."""
        ...


Decision = Callable[[Sequence[Aside], Schema], Params]
"""Examples that were set aside, and the schema of all -> `head.*` that `Family.decode` reads."""

AnyFamily = Family[Any]
