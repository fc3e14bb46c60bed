"""benchmarks/films_prior.py against the joint normal distribution, and what a prior must do."""

import itertools

import pytest
import torch
from benchmarks.films_prior import (
    NumberTask,
    Prior,
    better_prior,
    first_prior,
    forecast,
    learn_prior,
    log_likelihood,
    posterior,
)

from metaglot.errors import MetaglotError
from metaglot.families.heads.numbers import centred, ridge
from metaglot.seeds import torch_generator

pytestmark = pytest.mark.slow  # a benchmark, no part of the package


def drawn(*shape: int, purpose: str) -> torch.Tensor:
    return torch.randn(*shape, generator=torch_generator(0, purpose), dtype=torch.float64)


def a_prior(width: int) -> Prior:
    root = drawn(width + 1, width + 1, purpose="covariance")
    return Prior(drawn(width + 1, purpose="mean"), root @ root.T / width, 0.3)


def some_tasks(count: int, width: int, prior: Prior) -> list[NumberTask]:
    root = torch.linalg.cholesky(prior.covariance)
    tasks = list[NumberTask]()
    for n in range(count):
        x = drawn(6 + n % 5, width, purpose=f"features {n}")
        v = prior.mean + root @ drawn(width + 1, purpose=f"weights {n}")
        noise = prior.noise**0.5 * drawn(len(x), purpose=f"noise {n}")
        tasks.append(NumberTask(x, x @ v[:-1] + v[-1] + noise))
    return tasks


def test_the_posterior_is_that_of_the_joint_normal_distribution():
    """Of [v, y]: conditioning by the inverse of the whole precision matrix."""
    prior, x, y = a_prior(4), drawn(7, 4, purpose="x"), drawn(7, purpose="y")
    design = torch.cat([x, torch.ones(7, 1)], 1)
    precision = torch.linalg.inv(prior.covariance)
    covariance = torch.linalg.inv(precision + design.T @ design / prior.noise)
    mean = covariance @ (precision @ prior.mean + design.T @ y / prior.noise)
    found = posterior(x, y, prior)
    torch.testing.assert_close(found.mean, mean)
    torch.testing.assert_close(found.covariance, covariance)
    one_by_one = posterior(x[3:], y[3:], posterior(x[:3], y[:3], prior))
    torch.testing.assert_close(one_by_one.mean, mean)
    ahead = forecast(drawn(5, 4, purpose="ahead"), found)
    query = torch.cat([drawn(5, 4, purpose="ahead"), torch.ones(5, 1)], 1)
    torch.testing.assert_close(ahead.spread**2, (query @ covariance @ query.T).diagonal() + prior.noise)


def test_a_wide_prior_of_slopes_gives_ridge_regression():
    x, y, penalty = drawn(9, 12, purpose="x"), drawn(9, purpose="y"), 0.5
    variances = torch.cat([torch.ones(12), torch.tensor([1e8])]).double()
    found = posterior(x, y, Prior(torch.zeros(13).double(), variances.diag(), penalty))
    torch.testing.assert_close(found.mean[:-1], centred(x, y, penalty).weight, rtol=1e-4, atol=1e-6)


def test_each_round_raises_the_likelihood_and_ends_near_the_truth():
    truth = a_prior(2)
    tasks = some_tasks(300, 2, truth)
    prior = first_prior(tasks)
    likelihoods = [log_likelihood(tasks, prior)]
    for _ in range(20):
        prior = better_prior(tasks, prior)
        likelihoods.append(log_likelihood(tasks, prior))
    assert all(later > earlier for earlier, later in itertools.pairwise(likelihoods))
    assert likelihoods[-1] >= log_likelihood(tasks, truth)
    torch.testing.assert_close(prior.mean, truth.mean, rtol=0.2, atol=0.2)
    assert prior.noise == pytest.approx(truth.noise, rel=0.1)


def test_the_likelihood_is_that_of_all_targets_of_a_task():
    prior, task = a_prior(3), some_tasks(1, 3, a_prior(3))[0]
    design = torch.cat([task.features, torch.ones(len(task.targets), 1)], 1)
    square = design @ prior.covariance @ design.T + prior.noise * torch.eye(len(design))
    whole = torch.distributions.MultivariateNormal(design @ prior.mean, square).log_prob(task.targets)
    assert log_likelihood([task], prior) == pytest.approx(float(whole))


def test_tasks_that_are_all_the_same_leave_nothing_to_learn_from_a_new_one():
    x, weight = drawn(12, 3, purpose="x"), drawn(3, purpose="w")
    prior = learn_prior([NumberTask(x, x @ weight + 1)] * 5, rounds=300)
    torch.testing.assert_close(prior.mean, torch.cat([weight, torch.ones(1).double()]), rtol=1e-4, atol=1e-4)
    assert float(prior.covariance.diagonal().max()) < 1e-4


def test_a_learnt_prior_is_better_with_few_examples_than_ridge_and_its_intervals_hold():
    tasks = some_tasks(300, 8, a_prior(8))
    prior = learn_prior(tasks[:200], rounds=30)
    ours, theirs, inside = list[torch.Tensor](), list[torch.Tensor](), list[torch.Tensor]()
    for x, y in tasks[200:]:
        ahead = forecast(x[3:], posterior(x[:3], y[:3], prior))
        line = ridge(x[:3], y[:3]).line
        ours.append((ahead.mean - y[3:]).abs())
        theirs.append((x[3:] @ line.weight + line.bias - y[3:]).abs())
        inside.append((ahead.mean - y[3:]).abs() < 1.645 * ahead.spread)
    assert float(torch.cat(ours).mean()) < 0.8 * float(torch.cat(theirs).mean())
    assert float(torch.cat(inside).double().mean()) == pytest.approx(0.9, abs=0.05)


def test_tasks_of_unlike_width_are_refused():
    with pytest.raises(MetaglotError, match="as many features each"):
        first_prior([NumberTask(torch.ones(2, 3), torch.ones(2)), NumberTask(torch.ones(2, 4), torch.ones(2))])
