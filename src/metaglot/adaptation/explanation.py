"""Why this label: how much each example adds to the score of the label over that of the runner-up, exactly.

    s_c(x) = x·(Σ_{i∈c} x_i)/‖Σ_{i∈c} x_i‖ + Σ_i a_ic √v_i (x_i − μ)·x + b_c,      a = (Ỹ − X̃Wᵀ)/λ
    or      s_c(x) = Σ_i a_ic x_i·x + b_c,                                          a_ic = C v_i (y_ic − p_ic)

Each head (`closed_form.py`) is a sum over examples: prototypes are means, and a regression is a weighted sum of its
examples, whose weights a are its residuals over λ, or times C.  (Without cosines the first part is 2x·x_i/n_c; with two
classes the logistic a are halved, each class having one half of the logit.)  The sum over the examples, with b, is the
score itself, for logistic regression as far as its solver went.  The representer theorem as explanation: Yeh et al.
2018, https://arxiv.org/abs/1811.09720.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from metaglot.adaptation.closed_form import (
    FREEDOM,
    PENALTY,
    Known,
    Solver,
    balance,
    layer,
    prototypes,
    regression,
)


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


def contributions(  # [D] unit -> [n, C], float64
    rows: Known, classes: int, metric: str, feature: Tensor, solver: Solver = "ridge"
) -> Tensor:
    """Return what each row adds to each score s, but for the bias."""
    x, one = rows.features.double(), feature.double()
    among = one_hot(rows.numbers, classes).double()
    if solver == "logistic":
        weight, bias = layer(rows, classes, metric, solver)
        left = among - (x @ weight.T + bias).softmax(1)
        of = FREEDOM * balance(rows.numbers, classes) / (2 if classes == 2 else 1)
        return of[:, None] * left * (x @ one)[:, None]
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


def biases(rows: Known, classes: int, metric: str, solver: Solver = "ridge") -> Tensor:  # [C]
    """Return the part of the scores that no example adds."""
    return layer(rows, classes, metric, solver)[1]


def gaps(
    rows: Known, classes: int, metric: str, feature: Tensor, *, over: tuple[int, int], solver: Solver = "ridge"
) -> tuple[Tensor, float]:
    """Return what each row adds to the score of the first of two classes over the second, [n], and the bias does."""
    first, second = over
    added = contributions(rows, classes, metric, feature, solver)
    bias = biases(rows, classes, metric, solver)
    return added[:, first] - added[:, second], float(bias[first] - bias[second])


def heaviest(weights: Tensor, count: int) -> list[int]:  # [n]
    """Return the rows of the largest weights, either way."""
    return torch.argsort(weights.abs(), descending=True, stable=True)[:count].tolist()
