"""A kind of task that only tests know: a whole number from 0 on for a text, one more than which is of Poisson.

L = exp(f(x)) - (1 + y) f(x)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import poisson_nll_loss

from metaglot.choices import Kind
from metaglot.data.labels import Label
from metaglot.errors import MetaglotError
from metaglot.families.records import Name, Places, Read, Schema
from metaglot.families.regression import Regression, RegressionFamily
from metaglot.types import Batch, HeadSpec, Outputs, Params, Units

COUNTS = Kind("tests.contract.counts:CountsFamily", words="a whole number", cells="number")


@dataclass(frozen=True)
class Counts(Regression):
    """Tasks with a whole number a text; a logit is the logarithm of one more than its rate."""

    name: str = "counts"

    def units(self, outputs: Outputs, batch: Batch, spec: HeadSpec) -> Units:
        return super().units(outputs, {**batch, "targets": batch["targets"].log1p()}, spec)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        return poisson_nll_loss(logits, 1 + batch["targets"].to(logits.dtype))

    def predict(self, logits: Tensor) -> Tensor:
        return logits[:, 0].expm1()

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        wrong = logits.expm1() - batch["targets"].to(logits.dtype)
        found = {"mae": float(wrong.abs().mean()), "rmse": float(wrong.pow(2).mean().sqrt())}
        found["relative_mae"] = found["mae"] / max(1.0, float(batch["targets"].mean()))
        return {"loss": float(self.loss(logits, batch)), **found}


@dataclass(frozen=True)
class CountsFamily(RegressionFamily):
    """The kind of task in which a text has a whole number; its head is ridge regression of log(1 + y)."""

    name: str = "counts"

    def read(self, values: Sequence[object], name: Name) -> Read:
        found = super().read(values, name).targets
        for row, one in enumerate(found):
            if one is not None and (one < 0 or not one.is_integer()):
                raise MetaglotError(f"{name(row)} is {one:g}, which is no count")
        return Read([None if one is None else int(one) for one in found])

    def parse(self, cells: Sequence[Label | None], name: Name) -> Read:
        return self.read(cells, name)._replace(notes=("counts were read",))

    def schema(self, targets: Sequence[int]) -> Schema:
        return Schema(("count",), (len(targets),))

    def shown(self, target: int) -> str:
        return f"{target} times"

    def tensor(self, targets: Sequence[int], schema: Schema) -> Tensor:
        return super().tensor(targets, schema).log1p()

    def objective(self, schema: Schema, pad_token_id: int) -> Counts:
        return Counts(pad_token_id)

    def floor(self, targets: Sequence[int], schema: Schema) -> Params:
        return {"head.bias": torch.tensor([float(np.log1p(np.median(targets)))], dtype=torch.float64)}

    def link(self, scores: Tensor, schema: Schema, params: Params) -> Tensor:
        return scores.expm1().clamp_min(0)

    def decode(self, values: np.ndarray, schema: Schema, params: Params, places: Places | None = None) -> list[Any]:
        return [int(one) for one in np.rint(values[:, 0])]
