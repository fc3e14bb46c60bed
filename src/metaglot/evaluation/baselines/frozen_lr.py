"""A plain linear model on the unit features of the untouched backbone: logistic regression, or ridge; C is fixed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from metaglot.data.examples import Examples
from metaglot.evaluation.baselines.features import FeatureCache
from metaglot.evaluation.baselines.method import FittedFunction, whole_texts_only
from metaglot.evaluation.baselines.start import Start
from metaglot.families.family import AnyFamily


@dataclass(frozen=True)
class FrozenLR:
    """The linear model of the kind of task on frozen features (`Family.linear`)."""

    queries: FeatureCache
    c: float = 10.0  # of 1, 10, 100 on the dev sets: within 1 point of each other, but 1 loses 3 on banking77
    name: str = "frozen-lr"

    @classmethod
    def begin(cls, start: Start) -> "FrozenLR":
        """Return the baseline on features of the untouched backbone."""
        return cls(start.queries)

    @property
    def model(self) -> str:
        """The backbone's name."""
        return self.queries.encoder.name

    @property
    def settings(self) -> Mapping[str, object]:
        """The recorded choices."""
        return {"C": self.c}

    def why_not(self, family: AnyFamily) -> str | None:
        """Return the reason why it cannot learn a kind of task; None for those that are about whole texts."""
        return whole_texts_only(family, "it reads features of whole texts")

    def fit(self, support: Examples[Any], family: AnyFamily, *, shot: int, seed: int) -> FittedFunction:
        """Return the model fitted on the support set."""
        del shot, seed
        schema = family.schema(support.targets)
        linear = family.linear(self.queries.encoder.embed(support.inputs), support.targets, schema, c=self.c)
        return FittedFunction(family, schema, lambda inputs: linear.values(self.queries.features(inputs)))
