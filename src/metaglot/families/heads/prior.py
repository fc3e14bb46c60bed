"""A prior over the weights of tasks with numbers, learnt over many tasks by expectation–maximisation.

    task t:  y_t = X_t v_t + ε,  v_t ~ N(m, Σ),  ε ~ N(0, σ²I);  X_t has a one as its last column
    E        v_t | y_t ~ N(m_t, C_t)
    M        m = mean m_t,   Σ = mean C_t + (m_t − m)(m_t − m)ᵀ,   σ² = mean of E (y_ti − x_ti·v_t)²

Each round raises the likelihood of all targets, in which the weights are integrated out.  Empirical Bayes of a linear
model with a level for each task: Laird and Ware 1982; as a meta-learner: https://arxiv.org/abs/1807.08912.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from metaglot.errors import MetaglotError
from metaglot.families.heads.numbers import Prior, posterior, with_one

ROUNDS = 50
SMALLEST = 1e-9  # of σ², so that tasks without noise keep a likelihood


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


def log_likelihood(tasks: Sequence[NumberTask], prior: Prior) -> float:  # nats
    """Return Σ_t log N(y_t; X_t m, X_t Σ X_tᵀ + σ²I)."""
    return sum(_log_likelihood(task, prior) for task in tasks)


def save_prior(prior: Prior, path: Path) -> None:
    """Write the prior as safetensors: mean, covariance, noise."""
    parts = {
        "mean": prior.mean,
        "covariance": prior.covariance,
        "noise": torch.tensor(prior.noise, dtype=torch.float64),
    }
    save_file({name: part.contiguous() for name, part in parts.items()}, path)


def load_prior(path: Path) -> Prior:
    """Return a prior that `save_prior` wrote; raise MetaglotError for another file."""
    try:
        parts = load_file(path)
        return Prior(parts["mean"], parts["covariance"], float(parts["noise"]))
    except (OSError, SafetensorError, KeyError) as error:
        raise MetaglotError(f"{path} holds no prior ({error}); give a file that save_prior wrote") from error


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
