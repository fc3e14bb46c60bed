"""What is compared: a method learns a task from its support set and then gives probabilities."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from metaglot.data.examples import Examples, Inputs


class Fitted(Protocol):
    """A method after it has learnt a task."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The label names, in the order of the columns of `predict_proba`."""
        ...

    def predict_proba(self, inputs: Inputs) -> np.ndarray:
        """Return the probability of each label for each input, [n, C]."""
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

    def fit(self, support: Examples[str], *, shot: int, seed: int) -> Fitted:
        """Return what it learns from the support set of `shot` examples a class; a function of `seed`."""
        ...


def numbered(labels: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the distinct labels in order, and for each example the number of its label [n]."""
    names = tuple(sorted(set(labels)))
    number = {name: index for index, name in enumerate(names)}
    return names, np.array([number[label] for label in labels])


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return the probabilities of scores [n, C]."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
