"""Momentum, step by step against torch.optim.SGD, and its derivatives."""

import pytest
import torch
from torch.autograd import gradcheck

from metaglot.inner import Momentum, Sgd
from metaglot.models import All, HeadOnly, Lora

SHAPES = {"body.w": (3, 4), "body.b": (4,), "head.weight": (2, 3), "head.bias": (2,)}
LOSS = torch.zeros(())


def walk(rule, draw, steps, *, recorded):
    fast = draw(SHAPES)
    state = rule.init({}, fast)
    for step in range(steps):
        with torch.set_grad_enabled(recorded):
            fast, state = rule.update({}, fast, draw(SHAPES, 1 + step), LOSS, state, step)
        yield fast


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize("head_lr", [None, 0.3])
@pytest.mark.parametrize("nesterov", [False, True])
def test_it_is_torchs_sgd(draw, nesterov, head_lr, clip, recorded):
    params = {name: value.requires_grad_() for name, value in draw(SHAPES).items()}
    groups = [{"params": [v]} | ({"lr": head_lr} if head_lr and n[0] == "h" else {}) for n, v in params.items()]
    optimiser = torch.optim.SGD(groups, lr=0.1, momentum=0.8, nesterov=nesterov)
    rule = Momentum(lr=0.1, head_lr=head_lr, momentum=0.8, nesterov=nesterov, clip=clip)
    steps = 0
    for fast in walk(rule, draw, 12, recorded=recorded):
        for name, grad in draw(SHAPES, 1 + steps).items():
            params[name].grad = grad
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(list(params.values()), clip)
        optimiser.step()
        steps += 1
        for name, value in fast.items():  # torch clips by norm + 1e-6
            assert (value - params[name]).abs().max() <= (1e-14 if clip is None else 1e-5), (steps, name)
    assert steps == 12


def test_without_momentum_it_is_gradient_descent(draw):
    for nesterov in (False, True):
        rule = Momentum(lr=0.1, head_lr=0.2, momentum=0.0, nesterov=nesterov)
        pairs = zip(
            walk(rule, draw, 4, recorded=True), walk(Sgd(lr=0.1, head_lr=0.2), draw, 4, recorded=True), strict=True
        )
        assert sum(all(torch.equal(a[n], b[n]) for n in SHAPES) for a, b in pairs) == 4


def test_a_constant_gradient_reaches_its_limit_speed():
    """v_t = g (1 − μᵗ)/(1 − μ)."""
    rule, one = Momentum(lr=1.0, momentum=0.5), {"body.w": torch.ones(1, dtype=torch.float64)}
    fast, state = {"body.w": torch.zeros(1, dtype=torch.float64)}, rule.init({}, one)
    for step in range(5):
        before = fast["body.w"]
        fast, state = rule.update({}, fast, one, LOSS, state, step)
        assert float(before - fast["body.w"]) == pytest.approx((1 - 0.5 ** (step + 1)) / 0.5, rel=1e-14)


@pytest.mark.parametrize("rule", [Momentum(lr=0.1), Momentum(lr=0.1, nesterov=True, clip=0.5)], ids=repr)
def test_it_is_differentiable_in_all_it_is_given(draw, rule):
    names = list(SHAPES)

    def two_steps(*values):
        first, second, third = (dict(zip(names, values[i * 4 : i * 4 + 4], strict=True)) for i in range(3))
        fast, state = rule.update({}, first, second, LOSS, rule.init({}, first), 0)
        return tuple(rule.update({}, fast, third, LOSS, state, 1)[0].values())

    values = [v.requires_grad_() for seed in range(3) for v in draw(SHAPES, seed).values()]
    assert gradcheck(two_steps, values, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("scope", [All(), HeadOnly(), Lora(rank=2)], ids=["all", "head", "lora"])
def test_exact_estimators_agree(check_exact, scope):
    assert check_exact(Momentum(lr=0.1, nesterov=True, clip=0.5), scope) == {}
