"""Closed forms: every algorithm on quadratics with known Hessians.

Support loss ½(x − c)ᵀA(x − c), query loss ½(x − c′)ᵀA′(x − c′).  Gradient descent that moves only the coordinates P
takes a point to φ_T = c + Q(θ − c), Q = (I − lr·P·A)^T.
"""

import pytest
import torch
from tests.algorithms.quadratic import (
    EYE,
    INFO,
    LR,
    META,
    ONLY_A,
    THETA,
    Case,
    D,
    Point,
    close,
    draw,
    meta_grad,
    power,
    theta_grad,
)

from metaglot.algorithms import GradientBased
from metaglot.algorithms.anil import anil
from metaglot.algorithms.maml import fomaml, maml
from metaglot.algorithms.reptile import reptile
from metaglot.algorithms.transfer import joint, transfer
from metaglot.inner import Sgd, first_order, unrolled
from metaglot.models import HeadOnly, Named, Prototypes, Zeros
from metaglot.models.heads import LOG_SCALE
from metaglot.types import Budget, Problem, TaskInfo


@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("scope", ["all", "named"])
def test_maml_fomaml_and_adapt(steps, scope):
    case = Case(1)
    options = {"scope": Named(("a",))} if scope == "named" else {}
    Q = power(ONLY_A if scope == "named" else EYE, case.A, LR, steps)
    phi = case.c + Q @ (THETA - case.c)
    at_phi = case.A2 @ (phi - case.c2)
    assert close(theta_grad(maml(lr=LR, steps=steps, **options), case), Q.T @ at_phi)
    assert close(theta_grad(fomaml(lr=LR, steps=steps, **options), case), at_phi)
    fast = maml(lr=LR, steps=steps, **options).adapt(case.problem, META, case.episode.support, seed=0)
    moved = {**META, **fast.params}
    assert close(torch.cat([moved["body.a"], moved["body.b"]]), phi)
    path = [case.c + power(ONLY_A if scope == "named" else EYE, case.A, LR, t) @ (THETA - case.c) for t in range(steps)]
    losses = [float(0.5 * (x - case.c) @ case.A @ (x - case.c)) for x in path]
    assert [step.loss for step in fast.trace] == pytest.approx(losses, rel=1e-12)
    assert [step.step for step in fast.trace] == list(range(steps))


@pytest.mark.parametrize(("steps", "lr"), [(0, LR), (3, 0.0)])
def test_no_step_and_no_rate_are_the_plain_query_gradient(steps, lr):
    case = Case(2)
    plain = case.A2 @ (THETA - case.c2)
    for make in (maml, fomaml):
        assert close(theta_grad(make(lr=lr, steps=steps), case), plain)
    assert not theta_grad(reptile(lr=lr, steps=steps), case).any()


def test_the_mean_over_episodes_is_the_mean_of_their_gradients():
    cases = [Case(seed) for seed in (3, 4, 5)]
    meta = {**joint().init(Point(), [INFO], seed=0), **META}
    for algorithm in (maml(lr=LR, steps=2), fomaml(lr=LR), reptile(lr=LR), joint()):
        each = torch.stack([theta_grad(algorithm, case, meta=meta) for case in cases])
        assert close(theta_grad(algorithm, *cases, meta=meta), each.mean(0))
        assert not close(each[0], each[1])


@pytest.mark.parametrize("steps", [1, 5, 60])
def test_reptile_is_the_way_to_where_the_inner_loop_went(steps):
    case = Case(6)
    expected = (EYE - power(EYE, case.A3, LR, steps)) @ (THETA - case.c3)
    assert close(theta_grad(reptile(lr=LR, steps=steps), case), expected)
    if steps == 60:  # an outer step of rate 1 goes to the minimum
        assert torch.allclose(THETA - expected, case.c3, atol=1e-3)


def test_reptile_within_a_scope_moves_that_alone():
    case = Case(6)
    expected = (EYE - power(ONLY_A, case.A3, LR, 4)) @ (THETA - case.c3)
    found = theta_grad(reptile(lr=LR, steps=4, scope=Named(("a",))), case)
    assert close(found, expected)
    assert not found[2:].any()


@pytest.mark.parametrize("make", [joint, transfer])
def test_joint_and_transfer_are_the_plain_gradient_over_all_examples(make):
    case = Case(7)
    algorithm = make()
    meta = {**algorithm.init(Point(), [INFO], seed=0), **META}
    assert meta["heads.points.weight"].shape == (1, D)
    found = meta_grad(algorithm, case, meta=meta)
    assert close(torch.cat([found["body.a"], found["body.b"]]), case.A3 @ (THETA - case.c3))
    assert not found[LOG_SCALE].any()


def test_joint_learns_the_head_of_the_tasks_own_set():
    """d loss / d head = scale · A(x − c), in the head of the task's set and in no other."""
    mix = draw(90, D, D)
    case = Case(8, mix)
    info = TaskInfo("point", "points", ("third",), (2,), family="quadratic")
    algorithm = joint(scale=3.0)
    heads = {"heads.points.weight": draw(91, 4, D), "heads.points.bias": torch.zeros(4).double()}
    meta = {**META, **heads, "heads.other.weight": torch.ones(2, D), "heads.other.bias": torch.ones(2)}
    found = algorithm.meta_grad([Problem(Point(), case.objective, info)], meta, [case.episode], step=0, seed=0).grads
    x = 3.0 * heads["heads.points.weight"][0] - mix @ THETA  # the row that a quadratic reads
    expected = torch.zeros(4, D).double()
    expected[0] = 3.0 * case.A3 @ (x - case.c3)
    assert close(found["heads.points.weight"], expected)
    assert close(torch.cat([found["body.a"], found["body.b"]]), -mix.T @ case.A3 @ (x - case.c3))
    assert not any(bool(found[name].any()) for name in ("heads.other.weight", "heads.other.bias", "heads.points.bias"))


@pytest.mark.parametrize("steps", [0, 1, 4])
@pytest.mark.parametrize("head", ["zeros", "prototypes"])
@pytest.mark.parametrize("estimator", [unrolled, first_order])
def test_a_loop_over_the_head_alone(steps, head, estimator):
    """x = w − Mθ from w₀ = 0 or 2sθ: x_T = c + N(w₀ − Mθ − c), N = (I − lr·A)^T; its derivative in θ by hand."""
    mix, scale = draw(92, D, D), 1.5
    case = Case(9, mix)
    starts = Zeros() if head == "zeros" else Prototypes(metric="euclidean")
    algorithm = GradientBased(HeadOnly(), starts, Sgd(lr=LR), steps, estimator)
    meta = {**META, LOG_SCALE: torch.tensor(scale, dtype=torch.float64).log()}
    N = power(EYE, case.A, LR, steps)
    W0 = torch.zeros(D, D).double() if head == "zeros" else 2 * scale * EYE
    x = case.c + N @ (W0 @ THETA - mix @ THETA - case.c)
    at_x = case.A2 @ (x - case.c2)
    carried = N if estimator is unrolled else EYE  # d x_T / d w₀ as the estimator sees it
    through_body = carried - EYE if estimator is unrolled else torch.zeros_like(EYE)  # of −Mθ in the inner steps
    dx = carried @ W0 - mix - through_body @ mix
    found = meta_grad(algorithm, case, meta=meta)
    assert close(torch.cat([found["body.a"], found["body.b"]]), dx.T @ at_x)
    assert close(found[LOG_SCALE], (carried @ W0 @ THETA) @ at_x)


def test_anil_is_that_loop_from_zeros():
    mix = draw(92, D, D)
    case = Case(9, mix)
    N = power(EYE, case.A, LR, 3)
    x = case.c + N @ (-mix @ THETA - case.c)
    assert close(theta_grad(anil(lr=LR, steps=3), case), -mix.T @ N.T @ case.A2 @ (x - case.c2))
    fast = anil(lr=LR, steps=3).adapt(case.problem, META, case.episode.support, seed=0)
    assert set(fast.params) == {"head.weight", "head.bias"}
    assert close(fast.params["head.weight"][0] - mix @ THETA, x)


def test_a_head_rate_of_its_own():
    case = Case(9, draw(92, D, D))
    own = maml(lr=LR, head_lr=0.05, steps=3, head=Zeros(), scope=HeadOnly())
    assert close(theta_grad(own, case), theta_grad(anil(lr=0.05, steps=3), case))
    assert not close(theta_grad(own, case), theta_grad(anil(lr=LR, steps=3), case))


def test_the_budget_sets_the_steps_of_an_adaptation():
    case = Case(1)
    for steps in (0, 2):
        fast = maml(lr=LR, steps=5).adapt(case.problem, META, case.episode.support, seed=0, budget=Budget(steps=steps))
        moved = {**META, **fast.params}
        phi = case.c + power(EYE, case.A, LR, steps) @ (THETA - case.c)
        assert close(torch.cat([moved["body.a"], moved["body.b"]]), phi)
        assert len(fast.trace) == steps
