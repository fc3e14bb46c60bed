"""Sequential Reptile on quadratics: one way through all tasks, by hand, and what tells it from Reptile."""

from dataclasses import replace

import pytest
import torch
from tests.algorithms.quadratic import EYE, LR, META, ONLY_A, THETA, Case, D, close, draw, meta_grad, theta_grad

from metaglot.algorithms.reptile import reptile
from metaglot.algorithms.sequential_reptile import sequential_reptile
from metaglot.inner import Sgd
from metaglot.models import Named, Zeros


@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize("scope", ["all", "named"])
def test_one_way_through_the_tasks_in_turn(rounds, scope):
    """φ ← φ − lr·P A_t(φ − c_t) for t = 1, 2, 3, 1, 2, …; the gradient is θ − φ."""
    cases = [Case(seed) for seed in (1, 2, 3)]
    options = {"scope": Named(("a",))} if scope == "named" else {}
    moving = ONLY_A if scope == "named" else EYE
    phi = THETA
    for case in cases * rounds:
        phi = phi - LR * moving @ case.A3 @ (phi - case.c3)
    found = theta_grad(sequential_reptile(lr=LR, steps=rounds, **options), *cases)
    assert close(found, THETA - phi)
    assert close(found[2:], torch.zeros(3).double()) == (scope == "named")


def test_each_task_has_a_head_of_its_own():
    """x = w_t − Mθ with w_t from 0: both move, θ through every task, w_t only at its own turns."""
    mix = draw(92, D, D)
    cases = [Case(8, mix), Case(9, mix)]
    theta, heads = THETA, [torch.zeros(D).double() for _ in cases]
    for _ in range(2):
        for t, case in enumerate(cases):
            slope = case.A3 @ (heads[t] - mix @ theta - case.c3)
            heads[t], theta = heads[t] - 0.5 * slope, theta + LR * mix.T @ slope
    assert close(theta_grad(sequential_reptile(lr=LR, head_lr=0.5, steps=2, head=Zeros()), *cases), THETA - theta)


def test_adam_keeps_moments_and_steps_for_each_head():
    """As torch's Adam for what is shared and one more for each head, which steps at its own turns alone."""
    mix = draw(92, D, D)
    cases = [Case(8, mix), Case(9, mix), Case(10, mix)]
    theta = THETA.clone().requires_grad_()
    heads = [torch.zeros(D).double().requires_grad_() for _ in cases]
    shared, own = torch.optim.Adam([theta], lr=LR), [torch.optim.Adam([head], lr=0.5) for head in heads]
    for _ in range(3):
        for case, head, optimiser in zip(cases, heads, own, strict=True):
            x = head - mix @ theta - case.c3
            theta.grad, head.grad = torch.autograd.grad(0.5 * x @ case.A3 @ x, (theta, head))
            torch.nn.utils.clip_grad_norm_([theta, head], 1.0)
            shared.step()
            optimiser.step()
    found = theta_grad(sequential_reptile(lr=LR, head_lr=0.5, steps=3, head=Zeros(), adam=True), *cases)
    assert torch.allclose(found, (THETA - theta).detach(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("adam", [False, True])
def test_with_one_task_it_is_reptile(adam):
    case = Case(4, draw(92, D, D))
    options = {"lr": LR, "steps": 4, "adam": adam}
    assert close(theta_grad(sequential_reptile(**options), case), theta_grad(reptile(**options), case))


def test_the_order_matters_and_it_is_not_reptile():
    """To second order in the rate, the way differs from the sum of the ways by lr² A_j A_i(θ − c_i), j after i."""
    a, b = Case(5), Case(6)

    def away(lr: float) -> torch.Tensor:
        together = theta_grad(sequential_reptile(lr=lr, steps=1), a, b)
        return together - 2 * theta_grad(reptile(lr=lr, steps=1), a, b)

    expected = -b.A3 @ a.A3 @ (THETA - a.c3)
    assert torch.allclose(away(1e-3) / 1e-6, expected, rtol=1e-6)
    first, second = (theta_grad(sequential_reptile(lr=LR, steps=1), *order) for order in ((a, b), (b, a)))
    assert not close(first, second)


def test_the_limits():
    cases = [Case(1), Case(2)]
    assert not theta_grad(sequential_reptile(lr=0.0, steps=2), *cases).any()
    made = sequential_reptile(lr=LR, steps=2)
    assert made.together
    assert not made.second_order
    assert made.alone == reptile(lr=LR, steps=2)
    given = {name: value.clone() for name, value in META.items()}
    meta_grad(made, *cases, meta=given)
    assert all(torch.equal(given[name], META[name]) for name in META), "a rule that updates in place has its own copy"


def test_the_records_are_of_each_task():
    cases = [Case(1), Case(2)]
    algorithm = replace(sequential_reptile(), alone=replace(reptile(steps=1), rule=Sgd(lr=LR)))
    found = algorithm.meta_grad([c.problem for c in cases], META, [c.episode for c in cases], step=0, seed=0)
    phi = THETA - LR * cases[0].A3 @ (THETA - cases[0].c3)
    second = cases[1]
    after = phi - LR * second.A3 @ (phi - second.c3)
    assert found.records[1]["loss"] == pytest.approx(float(0.5 * (after - second.c2) @ second.A2 @ (after - second.c2)))
    assert len(found.records) == 2
