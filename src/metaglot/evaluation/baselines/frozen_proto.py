"""Prototypes on the untouched backbone: p(c | x) ∝ exp(scale · cos(f(x), mean of f over class c)).

Snell et al. 2017, https://arxiv.org/abs/1703.05175, with cosines.  The scale does not change the prediction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaglot.adaptation.checks import chooses
from metaglot.data.examples import Examples
from metaglot.evaluation.baselines.features import FeatureCache
from metaglot.evaluation.baselines.method import Fitted, FittedFunction, class_tasks_only, label_numbers, softmax
from metaglot.evaluation.baselines.ranked import features_alike, ranked
from metaglot.evaluation.baselines.start import Start
from metaglot.families.family import AnyFamily


@dataclass(frozen=True)
class FrozenProto:
    """Cosine prototypes of frozen features."""

    queries: FeatureCache
    scale: float = 16.0
    name: str = "frozen-proto"

    @classmethod
    def begin(cls, start: Start) -> "FrozenProto":
        """Return the baseline on features of the untouched backbone."""
        return cls(start.queries)

    @property
    def model(self) -> str:
        """The backbone's name."""
        return self.queries.encoder.name

    @property
    def settings(self) -> Mapping[str, object]:
        """The recorded choices."""
        return {"scale": self.scale}

    def why_not(self, family: AnyFamily) -> str | None:
        """Return the reason where a task is neither of classes nor of candidates."""
        return None if chooses(family) else class_tasks_only(family, "prototypes need classes")

    def fit(self, support: Examples[Any], family: AnyFamily, *, shot: int, seed: int) -> Fitted:
        """Return the prototypes of the support set; candidates are ranked by their cosine with the text."""
        del shot, seed
        if chooses(family):
            return ranked(family, support, features_alike(self.queries.encoder))
        _, numbers = label_numbers(support.targets)
        features = self.queries.encoder.embed(support.inputs)
        weight = self.scale * prototypes(features, numbers)  # [C, D]
        schema = family.schema(support.targets)
        return FittedFunction(family, schema, lambda inputs: softmax(self.queries.features(inputs) @ weight.T))


def prototypes(features: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return the mean feature of each class, brought to length one: [n, D], [n] → [C, D]."""
    means = np.stack([features[numbers == number].mean(axis=0) for number in range(numbers.max() + 1)])
    return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
