"""The kind of task in which a text is written for a text: a translation, a summary, a reply."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import Any, NoReturn

import numpy as np
from torch import Tensor

from metaglot.data.candidates import check_characters
from metaglot.data.labels import Label, is_absent, label_text, scalar_of
from metaglot.errors import MetaglotError
from metaglot.families.of_parts import OfParts
from metaglot.families.records import Described, Name, Places, Predictions, Read, Schema, Solved
from metaglot.families.scoring import Scored
from metaglot.families.support_units import SupportUnits
from metaglot.families.text_scores import TEXTS, scored_texts
from metaglot.families.write_tools import WriteTools
from metaglot.families.writing import NAME, Writing
from metaglot.metric import Measures
from metaglot.types import Params

OUTPUT = "text"
SOME_BYTES = 96.0  # of a text that is written, where no example tells


@dataclass(frozen=True)
class GenerationFamily(OfParts[str]):
    """The kind of task in which each source has a target, a text that is written.

    Its value is the probability of a token: exp of the mean log-likelihood of the tokens that were written.  A schema
    has the mean length of the targets in bytes as `mean`, and that of the longest as `levels`.
    """

    parts = "texts are written for their sources"
    name: str = NAME
    exclusive: None = None
    tokens: None = None
    shared: None = None
    writes: WriteTools = field(default_factory=WriteTools)
    decision: None = None
    probable: bool = True
    steps: int = 20  # of `fast`; `auto` chooses on examples set aside
    measures: Measures = TEXTS
    each: str = ""

    def read(self, values: Sequence[object], name: Name) -> Read:
        """Return the texts, None for an empty one; raise MetaglotError for what is no text."""
        return Read([_text(scalar_of(value), name(row)) for row, value in enumerate(values)])

    def parse(self, cells: Sequence[Label | None], name: Name) -> Read:
        """Return the text of each cell; an empty one is not known."""
        return self.read([None if cell is None else label_text(cell) for cell in cells], name)

    def check(self, targets: Sequence[str]) -> None:
        """Do nothing: one example teaches too."""
        del targets

    def schema(self, targets: Sequence[str]) -> Schema:
        """Return the one output, how many examples there are, and how long they are."""
        sizes = [float(len(target.encode("utf-8", "surrogatepass"))) for target in targets]
        return Schema((OUTPUT,), (len(targets),), mean(sizes or [SOME_BYTES]), levels=(max(sizes, default=SOME_BYTES),))

    def extended(self, schema: Schema, more: Sequence[str]) -> Schema:
        """Return the schema with more examples."""
        new, (count,) = self.schema(more), schema.counts
        total = count + len(more)
        size = (count * schema.mean + len(more) * new.mean) / max(1, total)
        return schema._replace(counts=(total,), mean=size, levels=(max(*schema.levels, *new.levels),))

    def reduced(self, schema: Schema, targets: Sequence[str]) -> Schema:
        """Return the schema of these examples."""
        del schema
        return self.schema(targets)

    def like(self, targets: Sequence[str], schema: Schema, name: Name) -> list[str]:
        """Return the texts as they are."""
        del schema, name
        return list(targets)

    def strata(self, targets: Sequence[str]) -> list[str]:
        """Return one group: no text is shown more often than another."""
        return [""] * len(targets)

    def counted(self, targets: Sequence[str]) -> list[tuple[str, ...]]:
        """Return that each is a text: shots are the examples in all."""
        return [(OUTPUT,)] * len(targets)

    def shown(self, target: str) -> str:
        """Return the text."""
        return target

    def plain(self, target: str) -> Any:
        """Return the text."""
        return target

    def described(self, schema: Schema) -> Described:
        """Return what a card says."""
        return Described(
            "A writer of texts for texts",
            "text-generation",
            ("of the examples", ""),
            (("examples", str(schema.counts[0])), ("mean length of a target", f"{schema.mean:.0f} bytes")),
            "What it writes may be wrong, and may be made up: have a person read it before it is used.",
        )

    def columns(self, schema: Schema) -> tuple[str, ...]:
        """Return the name of the one value: the probability of a token."""
        return tuple(map(label_text, schema.outputs))

    def moved(self, tensor: Tensor, old: Schema, new: Schema) -> Tensor:
        """Raise MetaglotError: texts are no numbers."""
        del tensor, old, new
        _no_head()

    def objective(self, schema: Schema, pad_token_id: int) -> Writing:
        """Return the objective of the tokens of targets."""
        del schema
        return Writing(pad_token_id)

    def solve(self, units: SupportUnits, schema: Schema, metric: str) -> Solved:
        """Raise MetaglotError: there is no head."""
        del units, schema, metric
        _no_head()

    def solve_after(
        self, before: SupportUnits, units: SupportUnits, schema: Schema, metric: str, *, steps: int, firmness: float
    ) -> Solved:
        """Raise MetaglotError: there is no head."""
        del before, units, schema, metric, steps, firmness
        _no_head()

    def floor(self, targets: Sequence[str], schema: Schema) -> Params:
        """Raise MetaglotError: there is no head."""
        del targets, schema
        _no_head()

    def link(self, scores: Tensor, schema: Schema, params: Params) -> Tensor:
        """Return the scores, which are probabilities of tokens."""
        del schema, params
        return scores

    def decode(self, values: np.ndarray, schema: Schema, params: Params, places: Places | None = None) -> list[str]:
        """Raise MetaglotError: a text is written, and no head decides on it."""
        del values, schema, params, places
        _no_head()

    def fits(self, params: Params, schema: Schema) -> bool:
        """Return whether there is the one output, the length of a text, and no head."""
        sized = len(schema.levels) == 1 and schema.levels[0] >= 0
        return schema.outputs == (OUTPUT,) and sized and not any(name.startswith("head.") for name in params)

    def score(self, predicted: Predictions, truth: Sequence[str]) -> Scored:
        """Return chrF and the other metrics; raise MetaglotError where the number of texts is another."""
        if len(predicted.targets) != len(truth):
            raise MetaglotError(
                f"{len(predicted.targets)} texts came for {len(truth)} queries. A method must write one for each query."
            )
        return scored_texts(predicted.targets, truth)


def _text(value: object, name: str) -> str | None:
    if is_absent(value):
        return None
    if isinstance(value, bool | int | float):
        value = label_text(value)
    if not isinstance(value, str):
        raise MetaglotError(f"{name} is {value!r:.60}, which is no text to write; give a string")
    check_characters(value, name)
    return value.strip() or None


def _no_head() -> NoReturn:
    raise MetaglotError(
        "a text is written by the language-model head of the model, so that a task of generation has no head of its "
        "own and no features of texts that decide; use predict"
    )
