"""The closed-form head of numbers against brute force, the joint normal distribution, and what a prior must do."""

import itertools

import pytest
import torch

from metaglot.errors import MetaglotError
from metaglot.families.heads.numbers import (
    PENALTIES,
    Forecast,
    Prior,
    centred,
    forecast,
    held_out_errors,
    level_chances,
    levels_of,
    nearest_level,
    posterior,
    ridge,
)
from metaglot.families.heads.prior import (
    NumberTask,
    better_prior,
    first_prior,
    learn_prior,
    load_prior,
    log_likelihood,
    save_prior,
)
from metaglot.families.regression import RegressionFamily
from metaglot.families.support_units import support_units
from metaglot.seeds import torch_generator


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


@pytest.mark.parametrize(("count", "width"), [(2, 5), (9, 30), (20, 3)])
@pytest.mark.parametrize("penalty", [0.01, 1.0, 100.0])
def test_errors_of_examples_set_aside_equal_those_of_heads_made_without_them(count, width, penalty):
    x, y = drawn(count, width, purpose="x"), drawn(count, purpose="y")
    others = [torch.arange(count) != i for i in range(count)]
    lines = [centred(x[rows], y[rows], penalty) for rows in others]
    brute = torch.stack([y[i] - x[i] @ line.weight - line.bias for i, line in enumerate(lines)])
    torch.testing.assert_close(held_out_errors(x, y, penalty), brute, rtol=1e-7, atol=1e-9)


def test_ridge_takes_the_penalty_with_the_least_error_and_no_slope_where_there_is_none():
    x, weight = drawn(30, 4, purpose="x"), drawn(4, purpose="w")
    sure = ridge(x, x @ weight + 3)
    assert sure.penalty == min(PENALTIES)
    torch.testing.assert_close(sure.line.weight, weight, rtol=0.01, atol=0.01)
    assert sure.spread < 0.01
    assert ridge(x, drawn(30, purpose="noise")).penalty == max(PENALTIES)
    alone = ridge(x[:1], torch.tensor([2.0]))
    assert float(alone.line.weight.abs().sum()) == 0
    assert float(alone.line.bias) == 2


def test_the_family_takes_that_penalty_for_its_head():
    """Features of length one that give the numbers exactly want nearly none; a penalty of 1 would halve the slope."""
    family, x = RegressionFamily(), torch.nn.functional.normalize(drawn(12, 6, purpose="x"), dim=-1)
    numbers = (10 * x @ drawn(6, purpose="w") + 50).tolist()
    schema = family.schema(numbers)
    rows = support_units(x, family.tensor(numbers, schema), is_class_name=False)
    head = family.solve(rows, schema, "cosine").params
    scores = x.float() @ head["head.weight"].T + head["head.bias"]
    found = family.link(scores, schema, head)[:, 0]
    torch.testing.assert_close(found.double(), torch.tensor(numbers).double(), rtol=0.0, atol=1.0)


def test_ridge_has_the_zero_of_its_gradient():
    x, y = drawn(8, 20, purpose="x"), drawn(8, purpose="y")
    w, b = (part.clone().requires_grad_() for part in centred(x, y, 0.7))
    ((y - x @ w - b).pow(2).sum() + 0.7 * w.pow(2).sum()).backward()
    assert w.grad is not None
    assert b.grad is not None
    assert float(w.grad.abs().max()) < 1e-10
    assert float(b.grad.abs()) < 1e-10


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


def test_levels():
    levels = torch.tensor([1.0, 2.0, 5.0])
    assert nearest_level(torch.tensor([-3.0, 1.5, 1.6, 3.6, 9.0]), levels).tolist() == [1, 1, 2, 5, 5]
    chances = level_chances(Forecast(torch.tensor([1.5, 9.0]), torch.tensor([1e-3, 1e-3])), levels)
    torch.testing.assert_close(chances, torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]))


def test_levels_in_even_steps_are_filled_up_and_far_more_than_there_are_examples_are_not():
    assert levels_of([1, 2, 4]) == (1, 2, 3, 4)
    assert levels_of([0, 1, 99]) == tuple(range(100))
    assert levels_of([0, 1, 100]) == (0, 1, 100)
    assert levels_of([0, 1e-12, 1e12]) == (0, 1e-12, 1e12)
    assert levels_of([0, 5e-324, 1e100]) == (0, 5e-324, 1e100)


def test_numbers_far_from_zero_are_learnt_in_units_of_their_spread_too():
    numbers, far = [1.0, 2.0, 4.0], 1e9
    targets = []
    for at in (0.0, far):
        family = RegressionFamily()
        objective = family.objective(family.schema([at + one for one in numbers]), 0)
        rows = [{"input_ids": [1], "attention_mask": [1], "target": at + one} for one in numbers]
        targets.append(objective.collate(rows)["targets"])
    assert targets[0].dtype == torch.float32
    torch.testing.assert_close(targets[1], targets[0], rtol=1e-6, atol=1e-6)


def test_a_saved_prior_is_the_same_and_what_cannot_be_is_refused(tmp_path):
    prior = a_prior(3)
    save_prior(prior, tmp_path / "prior.safetensors")
    loaded = load_prior(tmp_path / "prior.safetensors")
    assert torch.equal(loaded.mean, prior.mean)
    assert torch.equal(loaded.covariance, prior.covariance)
    assert loaded.noise == prior.noise
    with pytest.raises(MetaglotError, match="holds no prior"):
        load_prior(tmp_path / "absent.safetensors")
    with pytest.raises(MetaglotError, match="as many features"):
        first_prior([])
    with pytest.raises(MetaglotError, match=r"\(3, 2\) came with targets of shape \(4,\)"):
        ridge(torch.zeros(3, 2), torch.zeros(4))
