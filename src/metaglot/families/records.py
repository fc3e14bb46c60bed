"""The records of a kind of task: what a family takes and returns."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from metaglot.data.examples import Inputs
from metaglot.data.labels import Label
from metaglot.families.support_units import SupportUnits

Name = Callable[[int], str]
"""What an error calls the target of a row: "label number 3", "train.csv, line 7: label"."""


class Schema(NamedTuple):
    """What the rows of a head stand for, and facts about the targets."""

    outputs: tuple[Label, ...]  # classes or labels by name; of a number, its one name
    counts: tuple[int, ...]  # examples that have each
    mean: float = 0.0  # of numbers
    spread: float = 1.0  # of numbers: their standard deviation, above 0
    levels: tuple[float, ...] = ()  # of ordinal numbers: those that there are, ascending


class Solved(NamedTuple):
    """A head in closed form."""

    params: dict[str, Tensor]  # head.*, float32: with the confidence that suits it
    solver: str  # how it was found, by the family's name of it


class Linear(NamedTuple):
    """Plain linear models on features, as baselines have them."""

    weight: np.ndarray  # [K, F]
    bias: np.ndarray  # [K]
    values: Callable[[Any], np.ndarray]  # of features, [n, F] of numpy or scipy: probabilities or numbers, [n, K]


class Aside(NamedTuple):
    """Examples that are set aside, and the scores of them by a head that was made without them."""

    inside: Sequence[Any]  # the targets that the head was made of
    outside: Sequence[Any]  # those set aside
    scores: Tensor  # [n, K], of the texts set aside; [M, K] of their units where a text has many
    units: SupportUnits | None = None  # these, in the order of the scores; None where a text is one unit


class Read(NamedTuple):
    """Targets in their one form, and what is odd about how they were written."""

    targets: list[Any]  # None: absent
    notes: tuple[str, ...] = ()


class Described(NamedTuple):
    """What a model card says of a kind of task."""

    title: str  # "A text classifier with 3 classes"
    tag: str  # of the hub: "text-classification"
    columns: tuple[str, str]  # of the table
    rows: tuple[tuple[str, str], ...]
    limits: str  # what it cannot do, a sentence


class Predictions(NamedTuple):
    """The predictions for some texts; `Adapted.predictions` returns them.

    Attributes
    ----------
    outputs : tuple of str
        The names of the columns of `values`: the labels, or the one name of a number.
    values : ndarray of shape (n, K)
        Probabilities, or numbers.
    targets : list of length n
        What is decided of them: a label, a set of labels or a number for each text.

    Examples
    --------
    >>> import metaglot as mg
    >>> import numpy as np
    >>> predictions = mg.Predictions(("billing", "technical"), np.array([[0.75, 0.25]]), ["billing"])
    >>> dict(zip(predictions.outputs, predictions.values[0].tolist()))
    {'billing': 0.75, 'technical': 0.25}
    """

    outputs: tuple[str, ...]
    values: np.ndarray
    targets: Sequence[Any]


class Places(NamedTuple):
    """Where units stand whose text has many of them, in the order of their features."""

    inputs: Inputs
    owner: np.ndarray  # [M], the number of the input
    window: np.ndarray  # [M], the number of the window, counted over all inputs
    start: np.ndarray  # [M], the first character of the unit in its text
    end: np.ndarray  # [M], one after the last
