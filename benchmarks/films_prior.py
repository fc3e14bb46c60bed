"""A prior over the weights of tasks with numbers, learnt over many tasks by expectation–maximisation.

    task t:  y_t = X_t v_t + ε,  v_t ~ N(m, Σ),  ε ~ N(0, σ²I);  X_t has a one as its last column
    E        v_t | y_t ~ N(m_t, C_t)
    M        m = mean m_t,   Σ = mean C_t + (m_t − m)(m_t − m)ᵀ,   σ² = mean of E (y_ti − x_ti·v_t)²

A new task's weights are v | y ~ N(m + ΣXᵀA⁻¹(y − Xm),  Σ − ΣXᵀA⁻¹XΣ),  A = XΣXᵀ + σ²I.  All is computed in float64.

Each round raises the likelihood of all targets, in which the weights are integrated out.  Empirical Bayes of a linear
model with a level for each task: Laird and Ware 1982; as a meta-learner: https://arxiv.org/abs/1807.08912.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from metaglot.errors import MetaglotError

ROUNDS = 50
SMALLEST = 1e-9  # of σ², so that tasks without noise keep a likelihood


class Prior(NamedTuple):
    """What the weights of a new task are expected to be: those of features, and the intercept as the last."""

    mean: Tensor  # [D + 1], float64
    covariance: Tensor  # [D + 1, D + 1]
    noise: float  # σ², the variance of a target about its line, above 0


class Forecast(NamedTuple):
    """Predictions with their standard deviation, the noise of a target in it."""

    mean: Tensor  # [n]
    spread: Tensor  # [n], in units of the targets


class NumberTask(NamedTuple):
    """The examples of one task."""

    features: Tensor  # [n, D]
    targets: Tensor  # [n]


def learn_prior(tasks: Sequence[NumberTask], *, rounds: int = ROUNDS) -> Prior:
    """Return the prior that many tasks have in common; it begins at the mean and variance of their targets."""
    prior = first_prior(tasks)
    for _ in range(rounds):
        prior = better_prior(tasks, prior)
    return prior


def first_prior(tasks: Sequence[NumberTask]) -> Prior:
    """Return a prior without slopes on average, as wide in each direction as the targets vary.

    Raise MetaglotError without a task, or where tasks differ in the number of features.
    """
    widths = {task.features.shape[1] for task in tasks}
    if len(widths) != 1:
        raise MetaglotError(f"a prior is learnt of tasks with as many features each; features came: {sorted(widths)}")
    targets = torch.cat([task.targets.double() for task in tasks])
    half = max(float(targets.var(correction=0)) / 2, SMALLEST)
    mean = targets.new_zeros(widths.pop() + 1)
    mean[-1] = targets.mean()
    return Prior(mean, half * torch.eye(len(mean), dtype=mean.dtype), half)


def better_prior(tasks: Sequence[NumberTask], prior: Prior) -> Prior:
    """Return the prior after one round, under which the targets are more likely."""
    posteriors = [posterior(*task, prior) for task in tasks]
    means = torch.stack([one.mean for one in posteriors])
    mean = means.mean(0)
    apart = means - mean
    covariance = torch.stack([one.covariance for one in posteriors]).mean(0) + apart.T @ apart / len(posteriors)
    wrong = sum(_expected_square(task, one) for task, one in zip(tasks, posteriors, strict=True))
    return Prior(mean, covariance, max(wrong / sum(len(task.targets) for task in tasks), SMALLEST))


def posterior(features: Tensor, targets: Tensor, prior: Prior) -> Prior:  # [n, D], [n]
    """Return what the weights are expected to be once the examples are seen: the prior of what comes next."""
    x, y = with_one(features), targets.double()
    gain, covariance = _gain(x, prior)
    left = covariance - gain @ x @ covariance
    return Prior(prior.mean + gain @ (y - x @ prior.mean), (left + left.T) / 2, prior.noise)


def forecast(features: Tensor, weights: Prior) -> Forecast:  # [n, D]
    """Return the predictions for features and their standard deviation."""
    x = with_one(features)
    variance = ((x @ weights.covariance) * x).sum(1).clamp(min=0) + weights.noise
    return Forecast(x @ weights.mean, variance.sqrt())


def log_likelihood(tasks: Sequence[NumberTask], prior: Prior) -> float:  # nats
    """Return Σ_t log N(y_t; X_t m, X_t Σ X_tᵀ + σ²I)."""
    return sum(_log_likelihood(task, prior) for task in tasks)


def with_one(features: Tensor) -> Tensor:  # [n, D] -> [n, D + 1], float64
    """Return the features with a one at the end, for the intercept."""
    x = features.double()
    return torch.cat([x, x.new_ones(len(x), 1)], 1)


def _gain(x: Tensor, prior: Prior) -> tuple[Tensor, Tensor]:  # [D + 1, n], [D + 1, D + 1]
    """Return ΣXᵀA⁻¹ by the smaller of two systems, and Σ."""
    covariance = prior.covariance.double()
    cross = x @ covariance
    if len(x) > len(covariance):  # (ΣXᵀX + σ²I)⁻¹ ΣXᵀ
        return torch.linalg.solve(cross.T @ x + prior.noise * torch.eye(len(covariance)).to(x), cross.T), covariance
    return torch.linalg.solve(cross @ x.T + prior.noise * torch.eye(len(x)).to(x), cross).T, covariance


def _expected_square(task: NumberTask, prior: Prior) -> float:
    x = with_one(task.features)
    errors = task.targets.double() - x @ prior.mean
    return float(errors.pow(2).sum() + ((x @ prior.covariance) * x).sum())


def _log_likelihood(task: NumberTask, prior: Prior) -> float:
    x = with_one(task.features)
    square = x @ prior.covariance @ x.T + prior.noise * torch.eye(len(x), dtype=x.dtype)
    root = torch.linalg.cholesky(square)
    white = torch.linalg.solve_triangular(root, (task.targets.double() - x @ prior.mean)[:, None], upper=False)
    determinant = 2 * root.diagonal().log().sum()
    return -0.5 * float(white.pow(2).sum() + determinant + len(x) * math.log(2 * math.pi))
