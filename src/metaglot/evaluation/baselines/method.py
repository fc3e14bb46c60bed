"""The methods of a comparison: each learns a task from its support set and then predicts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from metaglot.data.examples import Examples, Inputs
from metaglot.families.family import AnyFamily
from metaglot.families.records import Predictions, Schema
from metaglot.types import Params


class Fitted(Protocol):
    """A method after it has learnt a task."""

    def predict(self, inputs: Inputs) -> Predictions:
        """Return its probabilities or numbers for each input, and its decisions."""
        ...


@runtime_checkable
class Method(Protocol):
    """A way to learn a task from few examples: a baseline, or ours."""

    @property
    def name(self) -> str:
        """Its name in tables and results."""
        ...

    @property
    def model(self) -> str:
        """The name of the language model it starts from, or "-"."""
        ...

    @property
    def settings(self) -> Mapping[str, object]:
        """Every choice that changes its results, for the record (JSON values)."""
        ...

    def why_not(self, family: AnyFamily) -> str | None:
        """Return the reason why it cannot learn a kind of task, or None."""
        ...

    def fit(self, support: Examples[Any], family: AnyFamily, *, shot: int, seed: int) -> Fitted:
        """Return the method fitted to a support set of `shot` examples of each group; a function of `seed`."""
        ...


@dataclass(frozen=True)
class FittedFunction:
    """A fitted method whose values, probabilities or numbers, are a function of the inputs."""

    family: AnyFamily
    schema: Schema
    values: Callable[[Inputs], np.ndarray]  # -> [n, K]
    params: Params = field(default_factory=dict)  # for the decisions of the family, such as thresholds

    def predict(self, inputs: Inputs) -> Predictions:
        """Return the values and the decisions."""
        return predictions_of(self.family, self.schema, self.values(inputs), self.params)


def predictions_of(family: AnyFamily, schema: Schema, values: np.ndarray, params: Params) -> Predictions:  # [n, K]
    """Return the predictions with these values."""
    return Predictions(family.columns(schema), values, family.decode(values, schema, params))


def class_tasks_only(family: AnyFamily, what: str) -> str | None:
    """Return the reason why a method for classes cannot learn a kind of task, or None."""
    return None if family.exclusive else f"{what}, and these tasks are {family.name}"


def whole_texts_only(family: AnyFamily, what: str) -> str | None:
    """Return the reason why a method that is about whole texts cannot learn a kind of task, or None."""
    if family.writes is not None:
        return f"{what}, and a task of {family.name} writes texts"
    return f"{what}, and a task of {family.name} is about the words of a text" if family.tokens else None


def label_numbers(labels: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the distinct labels in order, and for each example the number of its label [n]."""
    names = tuple(sorted(set(labels)))
    number = {name: index for index, name in enumerate(names)}
    return names, np.array([number[label] for label in labels])


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return the probabilities of scores [n, C]."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
