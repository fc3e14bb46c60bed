"""A number for a text: a linear layer on the pooled features, the squared error, the mean absolute error.

    L = ¼ (f(x) − t)²,   t = (y − mean)/spread

Numbers are learnt in units of their spread, so that rates and heads need not know their scale.  With the quarter, the
curvature of L in f is ½, the most that a cross-entropy has: rates that suit classes suit numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import Ridge
from torch import Tensor
from torch.nn.functional import mse_loss

from metaglot.data.labels import Label, label_text
from metaglot.data.number_cells import number_of
from metaglot.errors import MetaglotError
from metaglot.families.batches import pad_rows
from metaglot.families.contrast import WithContrast
from metaglot.families.heads.numbers import Line, centred, levels_of, nearest_level, ridge
from metaglot.families.number_scores import MAE, NUMBER_MEASURES, RELATIVE_MAE, RMSE, scored_numbers
from metaglot.families.other_kind import check_levels
from metaglot.families.records import Described, Linear, Name, Places, Predictions, Read, Schema, Solved
from metaglot.families.scoring import Scored
from metaglot.families.support_units import SupportUnits
from metaglot.metric import Measures, error_metric
from metaglot.models.heads import scores
from metaglot.types import Batch, HeadSpec, Outputs, Params, Row, TaskInfo, Units

LEAST_OFF = 0.1  # of the mean absolute error of the mean, in spreads: queries may all lie at it
MEASURES: Measures = (RELATIVE_MAE, MAE, RMSE, error_metric("loss", unit=""))
NEAR = 0.25  # spreads, up to which two numbers count as alike
GROUPS = 4  # of numbers, by quantile


@dataclass(frozen=True)
class Regression:
    """Tasks with a number a text."""

    pad_token_id: int = 0
    mean: float = 0.0  # of the numbers
    spread: float = 1.0  # their standard deviation, above 0
    name: str = "regression"

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return input_ids, attention_mask [B, T] and targets [B, 1], in units of the spread."""
        numbers = torch.tensor([[float(row["target"])] for row in rows], dtype=torch.float64)
        targets = ((numbers - self.mean) / self.spread).float()  # of float32, a large mean would take all digits
        return {**pad_rows(rows, pad_token_id=self.pad_token_id), "targets": targets}

    def head_spec(self, task: TaskInfo, hidden_size: int) -> HeadSpec:
        """Return one number, on pooled features."""
        del task
        return HeadSpec(hidden_size, 1, "pooled", "numbers")

    def units(self, outputs: Outputs, batch: Batch, spec: HeadSpec) -> Units:
        """Return the pooled features of each text, and its number."""
        del spec
        targets = batch["targets"].to(outputs.pooled.dtype)
        return Units(outputs.pooled, targets, torch.arange(len(targets), device=targets.device))

    def logits(self, params: Params, outputs: Outputs, batch: Batch) -> Tensor:  # [B, 1]
        """Return the numbers, in units of the spread."""
        del batch
        return scores(params, outputs.pooled)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:  # quarters of squared spreads, mean over B
        """Return L."""
        return mse_loss(logits, batch["targets"].to(logits.dtype)) / 4

    def judged(self, batch: Batch) -> int:
        """Return the number of examples, B."""
        return len(batch["targets"])

    def alike(self, batch: Batch) -> Tensor:  # [B, B] bool
        """Return which examples have numbers less than a quarter of the spread apart."""
        targets = batch["targets"][:, 0]
        return (targets[:, None] - targets).abs() < NEAR

    def of_data_set(self, batch: Batch, task: TaskInfo) -> Batch:
        """Return the batch: a number is the same in every task of a set."""
        del task
        return batch

    def predict(self, logits: Tensor) -> Tensor:  # [B]
        """Return the numbers on their own scale."""
        return logits[:, 0] * self.spread + self.mean

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        """Return loss, and the mean absolute error and root of the mean squared error on the numbers' own scale.

        The relative error is the first divided by that of the mean of the numbers that were learnt: 1 is no better than
        this mean, whatever the scale, so that tasks of unlike scales count the same in a mean over tasks.
        """
        targets = batch["targets"].to(logits.dtype)
        wrong = self.spread * (logits - targets)
        off = targets.abs().mean().clamp(min=LEAST_OFF)  # the mean of the numbers is 0 here
        return {
            "loss": float(self.loss(logits, batch)),
            RELATIVE_MAE.name: float((logits - targets).abs().mean() / off),
            "mae": float(wrong.abs().mean()),
            "rmse": float(wrong.pow(2).mean().sqrt()),
        }

    @property
    def measures(self) -> Measures:
        """The relative mean absolute error, the primary one, then those on the numbers' own scale, and the loss."""
        return MEASURES


@dataclass(frozen=True)
class RegressionFamily:
    """The kind of task in which a text has a number; ordinal, if the number is one of a few levels, such as stars."""

    ordinal: bool = False
    name: str = "regression"
    exclusive: None = None
    tokens: None = None
    shared: None = None
    writes: None = None
    decision: None = None
    probable: bool = False
    steps: int = 0
    measures: Measures = NUMBER_MEASURES
    each: str = ""

    def read(self, values: Sequence[object], name: Name) -> Read:
        """Return each as a number; raise MetaglotError for what is none."""
        return Read([number_of(value, name(row)) for row, value in enumerate(values)])

    def parse(self, cells: Sequence[Label | None], name: Name) -> Read:
        """Return the number in each cell."""
        return Read([number_of(cell, name(row)) for row, cell in enumerate(cells)])

    def check(self, targets: Sequence[float]) -> None:
        """Raise MetaglotError where all numbers are the same."""
        if len(set(targets)) < 2:
            raise MetaglotError(f"all examples have the number {targets[0]:g}; give examples of several numbers")

    def schema(self, targets: Sequence[float]) -> Schema:
        """Return mean and spread of the numbers."""
        numbers = np.asarray(targets, np.float64)
        spread = float(numbers.std()) if len(numbers) > 1 else 0.0
        mean = float(numbers.mean()) if len(numbers) else 0.0
        levels = tuple(sorted(set(map(float, targets)))) if self.ordinal else ()
        return Schema((NUMBER,), (len(numbers),), mean, spread or 1.0, levels)

    def extended(self, schema: Schema, more: Sequence[float]) -> Schema:
        """Return the schema with more examples; mean and spread, which are but a scale, stay."""
        levels = tuple(sorted({*schema.levels, *map(float, more)})) if self.ordinal else ()
        return schema._replace(counts=(schema.counts[0] + len(more),), levels=levels)

    def reduced(self, schema: Schema, targets: Sequence[float]) -> Schema:
        """Return the schema of these examples."""
        del schema
        return self.schema(targets)

    def like(self, targets: Sequence[float], schema: Schema, name: Name) -> list[float]:
        """Return the numbers as they are; raise MetaglotError for one between the levels of an ordinal kind."""
        if self.ordinal:
            check_levels(targets, schema.levels, name)
        return list(targets)

    def strata(self, targets: Sequence[float]) -> list[str]:
        """Return which quarter of the numbers each is in."""
        order = np.argsort(np.asarray(targets), kind="stable")
        place = np.empty(len(order), int)
        place[order] = np.arange(len(order)) * GROUPS // max(1, len(order))
        return [f"quarter {int(at) + 1}" for at in place]

    def counted(self, targets: Sequence[float]) -> list[tuple[str, ...]]:
        """Return that each has a number: shots are the examples in all, as ten rated films are ten."""
        return [(NUMBER,)] * len(targets)

    def shown(self, target: float) -> str:
        """Return the number, to six digits."""
        return f"{target:.6g}"

    def plain(self, target: float) -> Any:
        """Return the number."""
        return target

    def described(self, schema: Schema) -> Described:
        """Return what a card says: how many numbers there were, their mean and spread."""
        facts = {"examples": schema.counts[0], "mean": f"{schema.mean:.6g}", "spread": f"{schema.spread:.6g}"}
        if self.ordinal:
            facts["levels"] = " ".join(f"{level:.6g}" for level in levels_of(schema.levels))
        rows = tuple((name, str(fact)) for name, fact in facts.items())
        return Described(
            f"A regression of texts on {'one of a few levels' if self.ordinal else 'a number'}",
            "text-regression",
            ("of the numbers", ""),
            rows,
            "It gives every text a number on the scale of the examples, whether or not the text is of their kind.",
        )

    def columns(self, schema: Schema) -> tuple[str, ...]:
        """Return the names of the outputs."""
        return tuple(map(label_text, schema.outputs))

    def tensor(self, targets: Sequence[float], schema: Schema) -> Tensor:  # [n, 1], on their own scale
        """Return the numbers."""
        del schema
        return torch.tensor([[float(one)] for one in targets], dtype=torch.float64).reshape(len(targets), 1)

    def moved(self, tensor: Tensor, old: Schema, new: Schema) -> Tensor:
        """Return the numbers: they have their own scale in every schema."""
        del old, new
        return tensor

    def row(self, target: float, schema: Schema) -> Row:
        """Return the number."""
        del schema
        return {"target": target}

    def objective(self, schema: Schema, pad_token_id: int) -> Regression:
        """Return the objective of numbers of this mean and spread."""
        return Regression(pad_token_id, schema.mean, schema.spread)

    def contrasted(self, schema: Schema, pad_token_id: int, weight: float) -> WithContrast:
        """Return the objective with a contrastive loss beside its own."""
        return WithContrast(self.objective(schema, pad_token_id), weight)

    def alone(self, output: Label) -> None:
        """Return None: the name of the number describes no value."""
        del output

    def solve(self, units: SupportUnits, schema: Schema, metric: str) -> Solved:
        """Return ridge regression, with the penalty that is best on each example left out in turn."""
        del metric
        return _solved(ridge(units.features, _scaled(units, schema)).line)

    def solve_after(
        self, before: SupportUnits, units: SupportUnits, schema: Schema, metric: str, *, steps: int, firmness: float
    ) -> Solved:
        """Return the head on features after gradient steps, with the penalty that is best before them."""
        del metric, steps, firmness
        penalty = ridge(before.features, _scaled(before, schema)).penalty
        return _solved(centred(units.features, _scaled(units, schema), penalty))

    def linear(self, features: Any, targets: Sequence[float], schema: Schema, *, c: float) -> Linear:
        """Return ridge regression, of the numbers in units of their spread."""
        numbers = (np.asarray(targets, np.float64) - schema.mean) / schema.spread
        model = _ridge(features, numbers, penalty=1 / c)
        return model._replace(values=lambda rows: model.values(rows) * schema.spread + schema.mean)

    def floor(self, targets: Sequence[float], schema: Schema) -> Params:
        """Return the median of the numbers, the constant of least mean absolute error."""
        middle = float(np.median(np.asarray(targets, np.float64)))
        return {"head.bias": torch.tensor([(middle - schema.mean) / schema.spread], dtype=torch.float64)}

    def link(self, scores: Tensor, schema: Schema, params: Params) -> Tensor:
        """Return the numbers on their own scale."""
        del params
        return scores * schema.spread + schema.mean

    def decode(self, values: np.ndarray, schema: Schema, params: Params, places: Places | None = None) -> list[float]:
        """Return the numbers; of an ordinal kind the level that is nearest to each."""
        del params, places
        if not schema.levels:
            return values[:, 0].tolist()
        levels = torch.tensor(levels_of(schema.levels), dtype=torch.float64)
        return nearest_level(torch.as_tensor(values[:, 0]), levels).tolist()

    def fits(self, params: Params, schema: Schema) -> bool:
        """Return whether levels are there, ascending, if and only if the kind is ordinal."""
        del params
        rising = all(low < high for low, high in pairwise(schema.levels))
        return rising and bool(schema.levels) == self.ordinal

    def score(self, predicted: Predictions, truth: Sequence[float]) -> Scored:
        """Return mean absolute error, root mean squared error, Spearman's rank correlation, and nDCG@5."""
        return scored_numbers(predicted, truth)


NUMBER = "number"  # the one output


def ordinal() -> RegressionFamily:
    """Return the kind of task in which a text has one of a few levels that are numbers."""
    return RegressionFamily(ordinal=True, name="ordinal")


def _scaled(units: SupportUnits, schema: Schema) -> Tensor:  # [n]
    return (units.targets[:, 0].double() - schema.mean) / schema.spread


def _solved(line: Line) -> Solved:
    return Solved({"head.weight": line.weight[None].float(), "head.bias": line.bias[None].float()}, "ridge")


def _ridge(features: Any, numbers: np.ndarray, *, penalty: float) -> Linear:
    model = Ridge(alpha=penalty).fit(features, numbers)
    weight, bias = np.asarray(model.coef_, np.float64)[None], np.atleast_1d(np.asarray(model.intercept_, np.float64))
    return Linear(weight, bias, lambda rows: np.asarray(rows @ weight.T) + bias)
