"""Why this label: how much each example adds to the score of the label over that of the runner-up, exactly.

    s_c(x) = x·(Σ_{i∈c} x_i)/‖Σ_{i∈c} x_i‖ + Σ_i a_ic √v_i (x_i − μ)·x + b_c,      a = (Ỹ − X̃Wᵀ)/λ

Both parts of the head in closed form (`closed_form.py`) are sums over examples: prototypes are means, and ridge
regression is a weighted sum of its examples, whose weights a are its residuals over λ.  (Without cosines the first part
is 2x·x_i/n_c.)  The sum over the examples, with b, is the score itself.  The representer theorem as explanation: Yeh et
al. 2018, https://arxiv.org/abs/1811.09720.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from metaglot.adaptation.closed_form import PENALTY, Known, balance, layer, prototypes, regression


class Evidence(NamedTuple):
    """An example, and what it adds."""

    text: str  # empty where the texts were not saved with the adaptation
    label: str
    number: int | None  # of the example, from 0; None: the name of the class
    weight: float  # nats that it adds to log p(label)/p(instead); negative: it speaks against


class Explanation(NamedTuple):
    """A prediction and the examples that decided."""

    label: str
    probability: float
    instead: str  # the runner-up
    evidence: tuple[Evidence, ...]  # the heaviest first
    rest: float  # nats that all other examples and the bias add


def contributions(rows: Known, classes: int, metric: str, feature: Tensor) -> Tensor:  # [D] unit -> [n, C], float64
    """Return what each row adds to each score s, but for the bias."""
    x, one = rows.features.double(), feature.double()
    among = one_hot(rows.numbers, classes).double()
    counts = among.sum(0).clamp(min=1)
    near = (x @ one)[:, None] * among  # [n, C]
    lengths = counts * prototypes(rows, classes).norm(dim=-1).clamp(min=1e-12)
    near = near / lengths if metric == "cosine" else 2 * near / counts
    weights = balance(rows.numbers, classes)[:, None]
    centre, level = (weights * x).mean(0), (weights * among).mean(0)
    root = weights.sqrt()
    slope, _ = regression(rows, classes)
    dual = (root * (among - level) - root * (x - centre) @ slope.T) / PENALTY
    return near + dual * root * ((x - centre) @ one)[:, None]


def biases(rows: Known, classes: int, metric: str) -> Tensor:  # [C]
    """Return the part of the scores that no example adds."""
    return layer(rows, classes, metric)[1]


def gaps(rows: Known, classes: int, metric: str, feature: Tensor, *, over: tuple[int, int]) -> tuple[Tensor, float]:
    """Return what each row adds to the score of the first of two classes over the second, [n], and the bias does."""
    first, second = over
    added, bias = contributions(rows, classes, metric, feature), biases(rows, classes, metric)
    return added[:, first] - added[:, second], float(bias[first] - bias[second])


def heaviest(weights: Tensor, count: int) -> list[int]:  # [n]
    """Return the rows of the largest weights, either way."""
    return torch.argsort(weights.abs(), descending=True, stable=True)[:count].tolist()
