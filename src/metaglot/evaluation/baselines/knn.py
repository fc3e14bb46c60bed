"""Nearest neighbours on the untouched backbone, weighted by their cosine:

    p(c | x) = (α/C + Σ w_i [y_i = c]) / (α + Σ w_i),    w_i = exp(scale · (cos(f(x), f(x_i)) − the largest cosine))

over the k nearest support examples i.  The nearest has weight 1, so that at α = 1 one vote is spread over the classes;
it does not change the prediction.  Labels and numbers are the mean of the neighbours with the same weights, and α votes
go to the mean over the support set; a label is predicted where its probability is above that mean.
Dudani 1976, https://doi.org/10.1109/TSMC.1976.5408784, on weighting by distance; with k = all and α = 0 it is the
matching of Vinyals et al. 2016, https://arxiv.org/abs/1606.04080.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from torch.nn.functional import one_hot

from metaglot.data.examples import Examples, Inputs
from metaglot.evaluation.baselines.features import FeatureCache
from metaglot.evaluation.baselines.method import FittedFunction, whole_texts_only
from metaglot.evaluation.baselines.start import Start
from metaglot.families.family import AnyFamily


@dataclass(frozen=True)
class Knn:
    """Cosine nearest neighbours of frozen features."""

    queries: FeatureCache
    k: int = 32  # of 1 to all: the best at 4, 8 and 16 shots, with all (docs/tuning.md)
    scale: float = 16.0
    alpha: float = 1.0
    name: str = "knn"

    @classmethod
    def begin(cls, start: Start) -> "Knn":
        """Return the baseline on features of the untouched backbone."""
        return cls(start.queries)

    @property
    def model(self) -> str:
        """The backbone's name."""
        return self.queries.encoder.name

    @property
    def settings(self) -> Mapping[str, object]:
        """The recorded choices."""
        return {"k": self.k, "scale": self.scale, "alpha": self.alpha}

    def why_not(self, family: AnyFamily) -> str | None:
        """Return the reason why it cannot learn a kind of task; None for those that are about whole texts."""
        return whole_texts_only(family, "its neighbours are whole texts")

    def fit(self, support: Examples[Any], family: AnyFamily, *, shot: int, seed: int) -> FittedFunction:
        """Return the support set as features; where it has fewer than k examples, all of them vote."""
        del shot, seed
        schema, features = family.schema(support.targets), self.queries.encoder.embed(support.inputs)
        targets = family.tensor(support.targets, schema)
        is_exclusive = family.exclusive is not None
        if is_exclusive:
            targets = one_hot(targets, len(schema.outputs))
        params = family.floor(support.targets, schema)
        return FittedFunction(family, schema, _Votes(self, features, targets.double().numpy(), is_exclusive), params)


class _Votes(NamedTuple):
    """Support features [n, D] and their targets [n, K], which vote on queries."""

    method: Knn
    support: np.ndarray
    targets: np.ndarray
    exclusive: bool

    def __call__(self, inputs: Inputs) -> np.ndarray:  # [m, K]
        cosines = self.method.queries.features(inputs) @ self.support.T  # of unit features
        nearest = np.argsort(-cosines, axis=1, kind="stable")[:, : self.method.k]  # of equals, the first in the set
        nearest_cosines = np.take_along_axis(cosines, nearest, axis=1).astype(np.float64)
        weights = np.exp(self.method.scale * (nearest_cosines - nearest_cosines[:, :1]))
        outputs = range(self.targets.shape[1])
        votes = np.stack([(weights * self.targets[nearest, column]).sum(axis=1) for column in outputs], 1)
        totals = votes if self.exclusive else weights  # the sums of both are the same, but for the last digit
        constant = np.full(len(outputs), 1 / len(outputs)) if self.exclusive else self.targets.mean(axis=0)
        return (votes + self.method.alpha * constant) / (totals.sum(axis=1, keepdims=True) + self.method.alpha)
