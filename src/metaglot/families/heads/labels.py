"""The head of several labels a text in closed form, the probability of each label, and from which one on it is given.

    s_k(x) = f_k(x) + c·d_k(x)        f_k = argmin_f Σ_i v_ik (f(x_i) − (2y_ik − 1))² + λ‖w‖²,  f(x) = w·x + b
                                      d_k(x) = (μ⁺_k − μ⁻_k)·(x − (μ⁺_k + μ⁻_k)/2)
    or       s_k(x) = w·x + b         w, b = argmin Σ_i v_ik log(1 + exp(−(2y_ik − 1)(w·x_i + b))) + ½λ‖w‖²
    p(k | x) = σ(β·s_k(x) + b)        β, b = argmin −Σ_ik u_i log p(y_ik | x_i; head made without i)
                                              + π (log β − log β₀)² + ρ (b − logit share)²

Each label is a question of its own, in which the units with it and those without it weigh the same (v_ik), so that both
are as likely where s_k is 0.  The name of a label is a unit that has this label alone, and weighs as much as NAME
examples.  All labels share β, b and the threshold, since a few examples a label say little of each.

Who looks for some examples of each label finds a text with m labels m times as easily.  So u_i = 1/m: labels are then
as frequent as in texts that nobody chose.  The threshold lies half way between the score at which examples set aside
are given as many labels as they have, and 0.

λ, c, NAME, β₀, π, ρ and the threshold were chosen on development tasks (docs/tuning.md).  Calibration by a sigmoid:
Platt 1999.  All is computed in float64.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import softplus

from metaglot.families.heads.weighted_ridge import weighted_ridge
from metaglot.families.support_units import SupportUnits

Solver = Literal["ridge", "logistic"]
NAME = 2.0  # examples that a name weighs as much as
PENALTY: Mapping[Solver, float] = MappingProxyType({"ridge": 0.3, "logistic": 0.3})  # λ
NEARNESS = 4.0  # c
CONFIDENCE: Mapping[Solver, float] = MappingProxyType({"ridge": 2.5, "logistic": 2.0})  # β₀
TRUST = 2.0  # π
SHARE_TRUST = 0.5  # ρ
FOLDS = 5
RANGE = (-2.0, 6.0)  # of log β
DRAWN = 0.5  # how much of the way from 0 to the score of as many labels the threshold goes
SAME = 1e-5  # of 1 − cos, up to which two texts are taken for one
CERTAIN = 4.0  # log odds of a label that all examples have: e⁻⁴ is 2 %


class Layer(NamedTuple):
    """A linear score of each label."""

    weight: Tensor  # [K, D], float64
    bias: Tensor  # [K]

    def scores(self, features: Tensor) -> Tensor:  # [n, D] -> [n, K]
        """Return the score of each label."""
        return features.double() @ self.weight.T + self.bias


class LabelHead(NamedTuple):
    """Log odds of each label, and the probability from which on it is given."""

    layer: Layer  # β and b are in it
    threshold: float


class HeldOut(NamedTuple):
    """What heads made without them say of examples: one entry for each example and label that could be judged."""

    scores: Tensor  # [m]
    truth: Tensor  # [m], 0 or 1
    weight: Tensor  # [m], u: one over the labels of the example


class Link(NamedTuple):
    """How scores become log odds, β·s + b, and the score from which on a label is given."""

    slope: float  # β, above 0
    offset: float  # b
    least: float


def label_head(units: SupportUnits, solver: Solver = "ridge", *, before: SupportUnits | None = None) -> LabelHead:
    """Return the head of these units, calibrated on examples that are set aside in turn.

    After gradient steps it is calibrated on the features from `before` them: the steps have seen every example.

    `units.targets` is [n, K] of 0 and 1.  A label that all examples have, or that none has and no name speaks of, has
    the same log odds everywhere.
    """
    solution = HEADS[solver](units)
    link = link_of(held_out(units if before is None else before, solver), share=_share(units), start=CONFIDENCE[solver])
    weight, bias = link.slope * solution.weight, link.slope * solution.bias + link.offset
    fixed, odds = _constant(units)
    layer = Layer(torch.where(fixed[:, None], 0.0, weight), torch.where(fixed, odds, bias))
    return LabelHead(layer, _sigmoid(link.slope * link.least + link.offset))


def ridge(units: SupportUnits) -> Layer:
    """Return balanced ridge regression of ±1 plus the difference of the means, label by label."""
    x, own = units.features.double(), units.targets.double()
    weight, bias = weighted_ridge(x, 2 * own - 1, balance(units), _mass(units), PENALTY["ridge"])
    near = mean_difference(units)
    return Layer(weight + NEARNESS * near.weight, bias + NEARNESS * near.bias)


def mean_difference(units: SupportUnits) -> Layer:
    """Return the mean of the units with a label minus that of those without it, 0 half way between the two."""
    x, own, weights = units.features.double(), units.targets.double(), balance(units)
    with_it, without = (_means(weights * side, x) for side in (own, 1 - own))
    weight = with_it - without
    return Layer(weight, -(weight * (with_it + without)).sum(1) / 2)


def _means(weights: Tensor, x: Tensor) -> Tensor:  # [n, K], [n, D] -> [K, D]
    total = weights.sum(0)[:, None]
    return weights.T @ x / torch.where(total > 0, total, 1.0)


def logistic(units: SupportUnits) -> Layer:
    """Return balanced logistic regression, label by label; 0 for a label that all units have, or none."""
    x, own, weights = (of.double().cpu().numpy() for of in (units.features, units.targets, balance(units)))
    weight, bias = np.zeros((own.shape[1], x.shape[1])), np.zeros(own.shape[1])
    for k in range(own.shape[1]):
        if 0 < own[:, k].sum() < len(own):
            model = LogisticRegression(C=1 / PENALTY["logistic"], tol=1e-6, max_iter=1000)
            fitted_model = model.fit(x, own[:, k] > 0, sample_weight=weights[:, k])
            weight[k], bias[k] = np.asarray(fitted_model.coef_)[0], float(np.asarray(fitted_model.intercept_)[0])
    device = units.features.device
    return Layer(torch.as_tensor(weight, device=device), torch.as_tensor(bias, device=device))


HEADS: Mapping[Solver, Callable[[SupportUnits], Layer]] = MappingProxyType({"ridge": ridge, "logistic": logistic})
"""The ways of solving, by name."""


def balance(units: SupportUnits) -> Tensor:  # [n, K], float64
    """Return weights under which the units with a label and those without it weigh the same; names weigh NAME."""
    mass = _mass(units)[:, None]
    with_it, own = mass * units.targets.double(), units.targets.double()
    without = mass - with_it
    half = mass.sum() / 2
    up, down = (half / torch.where(side.sum(0) > 0, side.sum(0), 1.0) for side in (with_it, without))
    return mass * (own * up + (1 - own) * down)


def _mass(units: SupportUnits) -> Tensor:  # [n], float64
    return torch.where(units.is_class_name, NAME, 1.0).double()


def held_out(units: SupportUnits, solver: Solver = "ridge") -> HeldOut:
    """Return the scores of examples by heads made without them; names stay in.

    A label is judged where it tells the other units apart.
    """
    fold, empty = folds(units), units.features.new_zeros(0).double()
    predictions = [HeldOut(empty, empty, empty)]
    for k in range(FOLDS):
        inside, outside = units.at(fold != k), units.at(fold == k)
        having = inside.targets.sum(0)
        judged = (having > 0) & (having < len(inside.targets))
        if len(outside.targets) and bool(judged.any()):
            own = outside.targets.double()
            scores = HEADS[solver](inside).scores(outside.features)
            weight = (1 / own.sum(1).clamp(min=1))[:, None].expand_as(own)
            predictions.append(HeldOut(*(of[:, judged].reshape(-1) for of in (scores, own, weight))))
    return HeldOut(*(torch.cat(parts) for parts in zip(*predictions, strict=True)))


def folds(units: SupportUnits) -> Tensor:  # [n]
    """Return the fold of each unit, −1 for names: the examples of the rarest labels spread first.

    Texts with the same features share a fold, and the order of examples changes nothing.
    """
    members = torch.nonzero(~units.is_class_name)[:, 0]
    fold = torch.full((len(units.targets),), -1, device=units.features.device)
    if not len(members):
        return fold
    members = members[units.features[members, 0].argsort(stable=True)]
    features = units.features[members]
    new = torch.cat([features.new_ones(1).bool(), (features[1:] * features[:-1]).sum(1) < 1 - SAME])
    order = _rarest(units.targets[members])[new].argsort(stable=True)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device)
    fold[members] = place[new.cumsum(0) - 1] % FOLDS
    return fold


def _rarest(targets: Tensor) -> Tensor:  # [n, K] -> [n]
    """Return the number of the rarest label of each example; K where it has none."""
    count = targets.sum(0).double()
    ranked = torch.where(targets > 0, count, math.inf)
    return torch.cat([ranked, ranked.new_full((len(ranked), 1), 1e300)], 1).argmin(1)


def link_of(held: HeldOut, *, share: float, start: float) -> Link:
    """Return β, b and the least score of a label that is given, from examples set aside.

    `share` is how many of all decisions are expected to be yes: without examples, b is its log odds and β is `start`.
    """
    prior = math.log(share / (1 - share))
    if not len(held.truth):
        return Link(start, prior, 0.0)

    def cost(at: np.ndarray) -> tuple[float, np.ndarray]:
        slope, offset = math.exp(float(at[0])), float(at[1])
        logits = slope * held.scores + offset
        wrong = held.weight * (logits.sigmoid() - held.truth)
        away, trust = np.array([float(at[0]) - math.log(start), offset - prior]), np.array([TRUST, SHARE_TRUST])
        loss = float((held.weight * (softplus(logits) - held.truth * logits)).sum())
        steep = np.array([float((wrong * held.scores).sum()) * slope, float(wrong.sum())])
        return loss + float(trust @ away**2), steep + 2 * trust * away

    begin = np.array([math.log(start), prior])
    optimum: Any = minimize(cost, begin, jac=True, method="L-BFGS-B", bounds=(RANGE, (-20, 20)))
    return Link(math.exp(float(optimum.x[0])), float(optimum.x[1]), DRAWN * even_score(held))


def even_score(held: HeldOut) -> float:
    """Return the score from which on as many labels are given as there are; 0 where all are, or none."""
    count = int(held.truth.sum())
    if not 0 < count < len(held.truth):
        return 0.0
    ranked = held.scores.sort(descending=True).values
    return float(ranked[count - 1] + ranked[count]) / 2


def threshold_of(folds: Sequence[tuple[Tensor, Tensor, Tensor]]) -> float | None:
    """Return the probability from which on a label is given, by log odds of examples set aside.

    A fold has the labels of the examples that a head was made of [n, K], those of the ones set aside [m, K], and their
    log odds [m, K].  None where no label could be judged: it must tell the examples of the head apart.
    """
    parts: list[tuple[Tensor, Tensor]] = []
    for inside, outside, odds in folds:
        having, odds = inside.sum(0), odds.double().cpu()
        judged = (having > 0) & (having < len(inside)) & odds.isfinite().all(0)
        parts.append((odds[:, judged].reshape(-1), outside.double()[:, judged].reshape(-1)))
    if not any(len(truth) for _, truth in parts):
        return None
    scores, truth = (torch.cat(side) for side in zip(*parts, strict=True))
    return _sigmoid(DRAWN * even_score(HeldOut(scores, truth, torch.ones_like(truth))))


def _share(units: SupportUnits) -> float:
    """Return the expected share of yes among all decisions, a half more yes and no than there are."""
    own = units.targets[~units.is_class_name].double()
    weight = (1 / own.sum(1).clamp(min=1))[:, None].expand_as(own)
    return (float((weight * own).sum()) + 0.5) / (float(weight.sum()) + 1)


def _constant(units: SupportUnits) -> tuple[Tensor, Tensor]:  # [K] bool, [K]
    """Return which labels have the same log odds everywhere, and these."""
    having, own = units.targets.sum(0), units.targets[~units.is_class_name]
    always = (own > 0).all(0) & (len(own) > 0)
    fixed = always | (having == 0)
    return fixed, torch.where(always, CERTAIN, -CERTAIN).double()


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def one_vs_rest(  # [n, F] of numpy or scipy, [n, K] -> [K, F], [K]
    features: Any, targets: np.ndarray, *, c: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return balanced logistic regression a label, as scikit-learn has it; C is the inverse of its penalty.

    A label that all texts have, or none, has a constant score.
    """
    weight, bias = np.zeros((targets.shape[1], features.shape[1])), np.zeros(targets.shape[1])
    for k in range(targets.shape[1]):
        own = targets[:, k] > 0.5
        if own.all() or not own.any():
            bias[k] = CERTAIN if own.all() else -CERTAIN
            continue
        model = LogisticRegression(C=c, class_weight="balanced", max_iter=1000).fit(features, own)
        weight[k], bias[k] = np.asarray(model.coef_)[0], float(np.asarray(model.intercept_)[0])
    return weight, bias
