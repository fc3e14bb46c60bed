"""Meta-SGD: a rate for every parameter."""

import pytest
import torch

from metaglot.inner import Curvature, LayerRates, MetaNet, MetaSgd, Recurrent, Sgd
from metaglot.inner.rule import RATE
from metaglot.models import All, HeadOnly, Lora

SCOPES = {"all": All(), "head": HeadOnly(), "lora": Lora(rank=2)}
LOSS = torch.zeros(())


def test_its_rates_have_the_shapes_of_what_moves(draw):
    moving = draw({"body.w": (3, 4), "body.b": (4,), "head.weight": (0, 4), "head.bias": (0,)})
    found = MetaSgd(lr=0.5, head_lr=2.0).learnt(moving, steps=3, seed=0)
    assert {n.removeprefix(RATE): tuple(v.shape) for n, v in found.items()} == {
        "body.w": (3, 4),
        "body.b": (4,),
        "head.weight": (),
        "head.bias": (),
    }
    assert {float(v.min()) for v in found.values()} == {float(v.max()) for v in found.values()} == {1.0}


@pytest.mark.parametrize("rule", [MetaSgd(), MetaNet(), LayerRates(), Recurrent(), Curvature()], ids=repr)
def test_a_head_of_another_form_moves_too(draw, rule):
    """Such as the code of a latent head, with the rate of a head's weight."""
    moving = draw({"lora.w.a": (2, 4), "lora.w.b": (3, 2), "head.weight": (0, 4), "head.bias": (0,)})
    meta = {n: v.double() for n, v in rule.learnt(moving, steps=1, seed=0).items()}
    meta |= {n: 2 * v for n, v in meta.items() if n in (RATE + "head.weight", RATE + "head")}
    fast, grads = draw({"head.code": (5, 3)}), draw({"head.code": (5, 3)}, 1)
    moved, _ = rule.update(meta, fast, grads, LOSS, rule.init(meta, fast), 0)
    rate = rule.lr * (1 if isinstance(rule, Curvature) else 2)
    assert torch.allclose(moved["head.code"], fast["head.code"] - rate * grads["head.code"], rtol=1e-12)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("clip", [None, 0.5])
def test_it_starts_as_gradient_descent(same_path, scope, clip):
    pair = MetaSgd(lr=0.125, head_lr=0.5, clip=clip), Sgd(lr=0.125, head_lr=0.5, clip=clip)
    assert same_path(*pair, SCOPES[scope]) >= 2
    assert same_path(MetaSgd(lr=0.0, head_lr=0.5), Sgd(lr=0.0, head_lr=0.5), SCOPES[scope]) == 2, "the head alone"


def test_two_steps_on_a_quadratic_by_hand(draw):
    """φ_2 = c + (I − αA)²(θ − c) with α diagonal, and dφ_2/dα = −A-terms of both steps."""
    found = draw({"A": (4, 4), "theta": (4,), "c": (4,), "alpha": (4,), "target": (4,)}, 3)
    A, rates = found["A"] @ found["A"].T, (0.1 * found["alpha"]).requires_grad_()
    rule, fast, state = MetaSgd(lr=1.0), {"body.x": found["theta"]}, {}
    for step in range(2):
        grads = {"body.x": A @ (fast["body.x"] - found["c"])}
        fast, state = rule.update({RATE + "body.x": rates}, fast, grads, LOSS, state, step)
    shrink = torch.eye(4).double() - torch.diag(rates.detach()) @ A
    away = found["theta"] - found["c"]
    assert torch.allclose(fast["body.x"], found["c"] + shrink @ shrink @ away, rtol=1e-12)
    (grad,) = torch.autograd.grad(fast["body.x"] @ found["target"], rates)
    by_hand = -(A @ away) * (shrink.T @ found["target"]) - (A @ shrink @ away) * found["target"]
    assert torch.allclose(grad, by_hand, rtol=1e-12)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("clip", [None, 0.5])
def test_its_derivatives(check_exact, scope, clip):
    own = check_exact(MetaSgd(lr=0.1, clip=clip), SCOPES[scope])
    assert len(own) == 2 + len([n for n in own if "head" not in n])
    assert sum(bool(v.any()) for v in own.values()) >= {"all": 20, "head": 2, "lora": 10}[scope]
