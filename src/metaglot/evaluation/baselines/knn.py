"""Nearest neighbours on the untouched backbone, weighted by their cosine:

    p(c | x) = (α/C + Σ w_i [y_i = c]) / (α + Σ w_i),    w_i = exp(scale · (cos(f(x), f(x_i)) − the largest cosine))

over the k nearest support examples i.  The nearest weighs 1, so α is one vote spread over the classes at α = 1; it
does not change the prediction.  Dudani 1976, https://doi.org/10.1109/TSMC.1976.5408784, on weighting by distance; with
k = all and α = 0 it is the matching of Vinyals et al. 2016, https://arxiv.org/abs/1606.04080.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from metaglot.data.examples import Examples, Inputs
from metaglot.evaluation.baselines.features import Remembered
from metaglot.evaluation.baselines.method import numbered
from metaglot.evaluation.baselines.start import Start


@dataclass(frozen=True)
class Knn:
    """Cosine nearest neighbours of frozen features."""

    queries: Remembered
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

    def fit(self, support: Examples[str], *, shot: int, seed: int) -> "FittedKnn":
        """Return the support set, embedded; where it has fewer than k examples, all of them vote."""
        del shot, seed
        names, numbers = numbered(support.targets)
        return FittedKnn(names, self, self.queries.encoder.embed(support.inputs), numbers)


@dataclass(frozen=True)
class FittedKnn:
    """Support features [n, D] and the numbers of their labels [n]."""

    labels: tuple[str, ...]
    method: Knn
    support: np.ndarray
    numbers: np.ndarray

    def predict_proba(self, inputs: Inputs) -> np.ndarray:
        """Return the probability of each label for each input, [n, C]."""
        cosines = self.method.queries.features(inputs) @ self.support.T  # of unit features
        nearest = np.argsort(-cosines, axis=1, kind="stable")[:, : self.method.k]  # of equals, the first in the set
        found = np.take_along_axis(cosines, nearest, axis=1).astype(np.float64)
        weights = np.exp(self.method.scale * (found - found[:, :1]))
        votes = np.stack([(weights * (self.numbers[nearest] == c)).sum(axis=1) for c in range(len(self.labels))], 1)
        return (votes + self.method.alpha / len(self.labels)) / (votes.sum(axis=1, keepdims=True) + self.method.alpha)
