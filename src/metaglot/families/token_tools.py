"""What a family says of the tokens of a text, where a text has many units."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from metaglot.data.examples import Inputs
from metaglot.data.windows import Window
from metaglot.families.records import Schema
from metaglot.types import Row

T_contra = TypeVar("T_contra", contravariant=True)


class TokenTools(Protocol[T_contra]):
    """How tokens become units where a text has many: it is read in windows, however long it is."""

    def windows(self, tokenizer: Any, inputs: Inputs, *, max_length: int, prompt: str, where: str) -> list[Window]:
        """Return the windows of the inputs in their order, one at least for each; `where` is the name of the model."""
        ...

    def apart(self, inputs: Inputs) -> list[tuple[int, str]]:
        """Return the texts that are read up to the length of the model, not in windows, each with its input."""
        ...

    def row(self, target: T_contra | None, schema: Schema, window: Window) -> Row:
        """Return what a row of a batch says of its units, beside the tokens; None: the target is not known."""
        ...

    def check(self, text: str, target: T_contra, name: str) -> Any:
        """Return a target with its place in its text; raise MetaglotError, which begins with `name`, if it has none."""
        ...

    def places(self, window: Window) -> np.ndarray:  # [U, 2]
        """Return the first character of each unit and one after its last, in the order of the objective's units."""
        ...

    def chosen(self, target: T_contra | None, cut: Sequence[Window]) -> Window:
        """Return the window of a text, of all that it has, that an episode of training reads."""
        ...

    def beside(self, target: T_contra, text: str) -> tuple[Any, str]:
        """Return a target beside its text, as JSON and as people read it."""
        ...
