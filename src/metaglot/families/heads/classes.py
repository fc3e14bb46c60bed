"""The head of classes that an adaptation ends with, from features alone, and how far its scores are to be trusted.

    s_c(x) = cos(x, μ_c) + f_c(x),      f = argmin_f Σ_i v_i ‖f(x_i) − y_i‖² + λ‖W‖²,  f(x) = W(x − μ) + b
    or      s(x) = Wx + b               W, b = argmin −C Σ_i v_i log softmax_{y_i}(Wx_i + b) + ½‖W‖²
    p(c | x) = softmax_c( β·s(x) ),     β = argmin −Σ_i log p(y_i | x_i; head made without i) + π (log β − log β₀)²

prototypes plus ridge regression of the class indicators y_i, in which every class weighs the same (v_i): both are
linear in x, and so is their sum.  Prototypes are steadier with one example or two, ridge regression better with many.
Logistic regression takes their place where it tells examples that it was made without better by one nat, as it does
with many classes.  β is found on the same examples, and drawn to β₀, since a few say little.  Ridge regression as a
few-shot head: Bertinetto et al. 2019, https://arxiv.org/abs/1805.08136; temperature scaling: Guo et al. 2017,
https://arxiv.org/abs/1706.04599.

λ, C, β₀ and π were chosen on development sets (docs/tuning.md).
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from metaglot.families.quiet_sklearn import quiet_sklearn
from metaglot.families.support_units import SupportUnits
from metaglot.models.heads import prototype_layer
from metaglot.models.heads.solution import least_squares

Solver = Literal["ridge", "logistic"]
PENALTY = 1.0  # λ
FREEDOM = 10.0  # C
ENOUGH = 1.0  # nats by which another way must be better on examples set aside
CONFIDENCE: Mapping[Solver, float] = MappingProxyType({"ridge": 8.5, "logistic": 2.0})  # β₀, no gradient step taken
# β of features after six gradient steps on these very examples, four classes, and how it falls with more steps
FITTED: Mapping[Solver, float] = MappingProxyType({"ridge": 2.5, "logistic": 1.0})
FADES = 0.1
TRUST = 2.0  # π
FOLDS = 5  # at most
RANGE = (-2.0, 6.0)  # of log β
PRECISE = 1e-6  # of the gradient: an explanation needs its residuals
SAME = 1e-5  # of 1 − cos, up to which two texts are taken for one
ABSENT = -100.0  # the score of a class without rows, by logistic regression


def blend(rows: SupportUnits, classes: int, metric: str, *, solver: Solver, beta: float) -> dict[str, Tensor]:
    """Return the head, float32: weight [C, D] and bias [C]."""
    weight, bias = layer(rows, classes, metric, solver)
    return {"head.weight": (beta * weight).float(), "head.bias": (beta * bias).float()}


class HeldOutScore(NamedTuple):
    """How well heads predict the examples that can be set aside, each made without the examples it predicts."""

    beta: float  # what suits these examples, drawn to the usual one
    nats: float  # Σ log p of their classes; 0 where there are none


def held_out_score(rows: SupportUnits, classes: int, metric: str, solver: Solver = "ridge") -> HeldOutScore:
    """Return how well heads of the other examples predict the class of those set aside."""
    scores, aside = held_out(rows, classes, metric, solver)
    beta = confidence(scores, aside, start=CONFIDENCE[solver])
    return HeldOutScore(beta, -float(cross_entropy(beta * scores, aside, reduction="sum")) if len(aside) else 0.0)


def solver_of(rows: SupportUnits, classes: int, metric: str) -> tuple[Solver, float]:
    """Return how the scores are best made of these rows, told by examples set aside, and their β."""
    ridged, other = held_out_score(rows, classes, metric, "ridge"), held_out_score(rows, classes, metric, "logistic")
    return ("logistic", other.beta) if other.nats > ridged.nats + ENOUGH else ("ridge", ridged.beta)


def layer(  # [C, D], [C], float64
    rows: SupportUnits, classes: int, metric: str, solver: Solver = "ridge"
) -> tuple[Tensor, Tensor]:
    """Return weight and bias of s, before β."""
    if solver == "logistic":
        return logistic(rows, classes)
    means = prototypes(rows, classes)
    near = prototype_layer(means, means.new_tensor(1.0), metric)
    weight, bias = regression(rows, classes)
    return near["head.weight"] + weight, near["head.bias"] + bias


def prototypes(rows: SupportUnits, classes: int) -> Tensor:  # [C, D], float64
    """Return the mean feature of each class; zeros for one without any."""
    among = one_hot(rows.numbers, classes).double()
    return among.T @ rows.features.double() / among.sum(0).clamp(min=1)[:, None]


def balance(numbers: Tensor, classes: int) -> Tensor:  # [n] -> [n], float64, their mean is 1
    """Return weights under which every class that is there weighs the same."""
    counts = torch.bincount(numbers, minlength=classes).double()
    return len(numbers) / float((counts > 0).sum()) / counts[numbers]


def regression(rows: SupportUnits, classes: int) -> tuple[Tensor, Tensor]:  # [C, D], [C], float64
    """Return W and b of the balanced ridge regression."""
    weights = balance(rows.numbers, classes)[:, None]
    features, targets = rows.features.double(), one_hot(rows.numbers, classes).double()
    centre, level = ((weights * of).mean(0) for of in (features, targets))
    root = weights.sqrt()
    solution = least_squares(
        root * (features - centre), root * (targets - level), features.new_tensor(PENALTY)
    )  # [D, C]
    return solution.T, level - centre @ solution


def logistic(rows: SupportUnits, classes: int) -> tuple[Tensor, Tensor]:  # [C, D], [C], float64
    """Return W and b of the balanced logistic regression; classes without rows score far below the others."""
    x, y = rows.features.double().cpu().numpy(), rows.numbers.cpu().numpy()
    weights = balance(rows.numbers, classes).cpu().numpy()
    with quiet_sklearn():
        model = LogisticRegression(C=FREEDOM, tol=PRECISE, max_iter=1000).fit(x, y, sample_weight=weights)
    slope, level = np.asarray(model.coef_), np.asarray(model.intercept_)
    if len(model.classes_) == 2:  # one logit of the second class over the first
        slope, level = np.concatenate([-slope, slope]) / 2, np.concatenate([-level, level]) / 2
    weight, bias = np.zeros((classes, x.shape[1])), np.full(classes, ABSENT)
    weight[model.classes_], bias[model.classes_] = slope, level
    return torch.as_tensor(weight, device=rows.features.device), torch.as_tensor(bias, device=rows.features.device)


def held_out(  # [m, C], [m]
    rows: SupportUnits, classes: int, metric: str, solver: Solver = "ridge"
) -> tuple[Tensor, Tensor]:
    """Return scores s of examples by heads made without them, and their classes; those that can be set aside.

    The examples of a class go round the folds, so that a fold sets aside as many of each class; names stay in, and
    examples of a class that have the same features share a fold.
    """
    fold = folds(rows)
    scores, numbers = [rows.features.new_zeros(0, classes).double()], [rows.numbers.new_zeros(0)]
    for k in range(int(fold.max()) + 1 if len(fold) else 0):
        inside, outside = rows.at(fold != k), rows.at(fold == k)
        left = torch.bincount(inside.numbers, minlength=classes) > 0
        outside = outside.at(left[outside.numbers])
        if len(outside.numbers) and int(left.sum()) > 1:
            weight, bias = layer(inside, classes, metric, solver)
            scores.append(outside.features.double() @ weight.T + bias)
            numbers.append(outside.numbers)
    return torch.cat(scores), torch.cat(numbers)


def folds(rows: SupportUnits) -> Tensor:  # [n]
    """Return the fold of each row, −1 for names."""
    most = int(torch.bincount(rows.numbers[~rows.is_class_name], minlength=1).max())
    # With names even the only example of a class can be set aside: its name stands for it.
    count = min(FOLDS, max(most, 1 if rows.is_class_name.any() else 2))
    members, place = _ordered(rows)
    fold = torch.full_like(rows.numbers, -1)
    fold[members] = place % count
    return fold


def sizes(rows: SupportUnits, classes: int) -> Tensor:  # [C]
    """Return how many distinct examples each class has."""
    members, place = _ordered(rows)
    most = torch.zeros(classes, dtype=place.dtype, device=place.device)
    return most.scatter_reduce(0, rows.numbers[members], place + 1, "amax")


def class_by_class(rows: SupportUnits) -> Tensor:  # [n]
    """Return the examples, class by class, and by their first coordinate: the order they were given in is nothing."""
    members = torch.nonzero(~rows.is_class_name)[:, 0]
    members = members[rows.features[members, 0].argsort(stable=True)]
    return members[rows.numbers[members].argsort(stable=True)]


def _ordered(rows: SupportUnits) -> tuple[Tensor, Tensor]:  # [n], [n]
    """Return the examples, class by class, and the place of each in its class, 0, 1, …; the same features share one."""
    members = class_by_class(rows)
    features, numbers = rows.features[members], rows.numbers[members]
    first = numbers[1:] != numbers[:-1]  # of its class
    new = ((features[1:] * features[:-1]).sum(1) < 1 - SAME) | first
    place = torch.cat([new.new_zeros(min(1, len(members))), new]).cumsum(0)
    starts = torch.cat([first.new_ones(min(1, len(members))), first])
    return members, place - place[starts].repeat_interleave(torch.unique_consecutive(numbers, return_counts=True)[1])


def confidence(  # [m, C], [m], [C]
    scores: Tensor, numbers: Tensor, *, start: float, prior: Tensor | None = None
) -> float:
    """Return β; `start` where there is no example to learn it from.  `prior` is log π, of classes equal if absent."""
    if not len(numbers):
        return start

    def cost(log: float) -> float:
        logits = math.exp(log) * scores
        loss = cross_entropy(logits if prior is None else logits + prior, numbers, reduction="sum")
        return float(loss) + TRUST * (log - math.log(start)) ** 2

    optimum: Any = minimize_scalar(cost, bounds=RANGE, method="bounded")
    return math.exp(float(optimum.x))


def fitted(steps: int, classes: int, solver: Solver = "ridge") -> float:
    """Return β after gradient steps, which tell the examples apart better than any others; it grows with √classes."""
    return FITTED[solver] * (6 / steps) ** FADES * math.sqrt(classes / 4)
