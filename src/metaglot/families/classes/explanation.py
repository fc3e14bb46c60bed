"""Why this label: how much each example adds to the score of the label over that of the runner-up, exactly.

    s_c(x) = x·(Σ_{i∈c} x_i)/‖Σ_{i∈c} x_i‖ + Σ_i a_ic √v_i (x_i − μ)·x + b_c,      a = (Ỹ − X̃Wᵀ)/λ
    or      s_c(x) = Σ_i a_ic x_i·x + b_c,                                          a_ic = C v_i (y_ic − p_ic)

Each head (`families/heads/classes.py`) is a sum over examples: prototypes are means, and a regression is a weighted sum
of its examples, whose weights a are its residuals over λ, or times C.  (Without cosines the first part is 2x·x_i/n_c;
with two classes the logistic a are halved, each class having one half of the logit.)  The sum over the examples, with
b, is the score itself, for logistic regression as far as its solver went.  The representer theorem as explanation: Yeh
et al. 2018, https://arxiv.org/abs/1811.09720.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from metaglot.families.heads.classes import FREEDOM, PENALTY, Solver, balance, layer, prototypes, regression
from metaglot.families.support_units import SupportUnits


class Evidence(NamedTuple):
    """An example, and how much it adds to a prediction.

    Attributes
    ----------
    text : str
        The text of the example; empty where the texts were not saved with the adaptation.
    label : str
        Its label.
    number : int or None
        Its number, from 0; None for the name of a class.
    weight : float
        The nats that it adds to log p(label)/p(instead); a negative weight speaks against the label.

    Examples
    --------
    >>> import metaglot as mg
    >>> mg.Evidence("Refund my order.", "billing", number=0, weight=1.5).weight
    1.5
    """

    text: str
    label: str
    number: int | None
    weight: float


class Explanation(NamedTuple):
    """A prediction, and the examples that decided it; `Adapted.explain` returns it.

    Attributes
    ----------
    label : str
        The most probable label.
    probability : float
        Its probability.
    instead : str
        The runner-up.
    evidence : tuple of Evidence
        The examples that weigh most, the heaviest first.
    rest : float
        The nats that all other examples and the bias add: with the weights of the evidence they sum to the difference
        of the two scores.

    Examples
    --------
    >>> import metaglot as mg
    >>> evidence = mg.Evidence("Refund my order.", "billing", number=0, weight=1.5)
    >>> explanation = mg.Explanation("billing", 0.8, "technical", (evidence,), rest=-0.1)
    >>> sum(one.weight for one in explanation.evidence) + explanation.rest
    1.4
    """

    label: str
    probability: float
    instead: str
    evidence: tuple[Evidence, ...]
    rest: float


class Shares(NamedTuple):
    """What the examples add to the scores of any text; a function of the support set."""

    rows: SupportUnits
    near: Tensor  # [n], to the score of its own class, for each unit of cosine with the text
    dual: Tensor  # [n, C], to each score, for each unit of cosine with the text, off the centre
    centre: Tensor  # [D]
    bias: Tensor  # [C], the part of the scores that no example adds
    length: float  # of the weights, before β

    def contributions(self, feature: Tensor) -> Tensor:  # [D] unit -> [n, C]
        """Return what each row adds to each score s of a text, but for the bias."""
        among = one_hot(self.rows.numbers, self.dual.shape[1])
        cosine, off = self.cosines(feature[None])
        return (self.near[:, None] * among) * cosine + self.dual * off

    def cosines(self, features: Tensor) -> tuple[Tensor, Tensor]:  # [q, D] unit -> [n, q], [n, q]
        """Return the products of rows and texts, as they are and off the centre."""
        cosine = self.rows.features.double() @ features.double().T
        return cosine, cosine - self.centre @ features.double().T

    def gap(self, cosine: Tensor, off: Tensor, over: tuple[int, int]) -> tuple[Tensor, float]:  # [n], [n] -> [n]
        """Return what each row adds to the score of the first of two classes over the second, and the bias does."""
        first, second = over
        side = (self.rows.numbers == first).double() - (self.rows.numbers == second).double()
        added = self.near * side * cosine + (self.dual[:, first] - self.dual[:, second]) * off
        return added, float(self.bias[first] - self.bias[second])


def shares(rows: SupportUnits, classes: int, metric: str, solver: Solver = "ridge") -> Shares:
    """Return what each row adds to the scores, float64."""
    x, among = rows.features.double(), one_hot(rows.numbers, classes).double()
    weight, bias = layer(rows, classes, metric, solver)
    length = float(weight.norm())
    weights = balance(rows.numbers, classes)[:, None]
    if solver == "logistic":
        left = among - (x @ weight.T + bias).softmax(1)
        dual = FREEDOM * weights / (2 if classes == 2 else 1) * left
        return Shares(rows, torch.zeros(len(x)).double(), dual, torch.zeros(x.shape[1]).double(), bias, length)
    counts = among.sum(0).clamp(min=1)
    lengths = counts * prototypes(rows, classes).norm(dim=-1).clamp(min=1e-12)
    near = (1 / lengths if metric == "cosine" else 2 / counts)[rows.numbers]
    centre, level = (weights * x).mean(0), (weights * among).mean(0)
    root = weights.sqrt()
    slope, _ = regression(rows, classes)
    dual = (root * (among - level) - root * (x - centre) @ slope.T) / PENALTY
    return Shares(rows, near, dual * root, centre, bias, length)


def heaviest(weights: Tensor, count: int) -> list[int]:  # [n]
    """Return the rows of the largest weights, either way."""
    return torch.argsort(weights.abs(), descending=True, stable=True)[:count].tolist()
