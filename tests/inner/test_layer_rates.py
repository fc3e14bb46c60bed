"""Learnt rates of layers and steps."""

import pytest
import torch

from metaglot.inner import LayerRates, Sgd
from metaglot.inner.layer_rates import layer_of
from metaglot.inner.rule import RATE
from metaglot.models import All, HeadOnly, Lora

SCOPES = {"all": All(), "head": HeadOnly(), "lora": Lora(rank=2)}
LOSS = torch.zeros(())
LAYERS = {
    "body.encoder.layer.3.attention.self.query.weight": "encoder.layer.3",
    "lora.encoder.layer.3.attention.self.query.weight.a": "encoder.layer.3",
    "body.transformer.h.11.ln_1.bias": "transformer.h.11",
    "body.embeddings.word_embeddings.weight": "embeddings",
    "body.x": "x",
    "context": "context",
    "head.weight": "head",
    "head.bias": "head",
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_by_name(name):
    assert layer_of(name) == LAYERS[name]


@pytest.mark.parametrize(("per_step", "shape"), [(False, ()), (True, (3,))])
def test_one_rate_for_each_layer_and_one_for_the_head(bert, per_step, shape):
    found = LayerRates(lr=0.5, head_lr=2.0, per_step=per_step).learnt(dict(bert.body()), steps=3, seed=0)
    layers = {"embeddings", "encoder.layer.0", "encoder.layer.1", "pooler", "head"}
    assert {n.removeprefix(RATE) for n in found} == layers
    assert all(v.shape == shape and set(v.flatten().tolist()) == {1.0} for v in found.values())
    assert LayerRates(per_step=True).learnt({}, steps=0, seed=0)[RATE + "head"].shape == (1,)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("per_step", [False, True])
def test_it_starts_as_gradient_descent(same_path, scope, per_step):
    rule = LayerRates(lr=0.125, head_lr=0.5, per_step=per_step, clip=0.5)
    assert same_path(rule, Sgd(lr=0.125, head_lr=0.5, clip=0.5), SCOPES[scope]) >= 2


def test_steps_have_rates_of_their_own_and_the_last_serves_beyond():
    """On ½a(x − c)²: x_T − c = Π_t (1 − α_t a)(x_0 − c)."""
    rates, a, c = torch.tensor([0.5, 0.25, -0.125], dtype=torch.float64), 1.5, 2.0
    rule, fast, state = LayerRates(lr=1.0, per_step=True), {"body.x": torch.tensor([5.0], dtype=torch.float64)}, {}
    expected = 3.0
    for step in range(6):
        grads = {"body.x": a * (fast["body.x"] - c)}
        fast, state = rule.update({RATE + "x": rates}, fast, grads, LOSS, state, step)
        expected *= 1 - float(rates[min(step, 2)]) * a
        assert float(fast["body.x"]) - c == pytest.approx(expected, rel=1e-12)


def test_a_layer_without_a_rate_stands_still(draw):
    shapes = {"body.encoder.layer.0.w": (2,), "body.encoder.layer.1.w": (2,)}
    meta = {RATE + "encoder.layer.0": torch.tensor(0.0), RATE + "encoder.layer.1": torch.tensor(0.5)}
    moved, _ = LayerRates().update(meta, draw(shapes), draw(shapes, 1), LOSS, {}, 0)
    still = [name for name, value in draw(shapes).items() if torch.equal(moved[name], value)]
    assert still == ["body.encoder.layer.0.w"]


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("per_step", [False, True])
def test_its_derivatives(check_exact, scope, per_step):
    own = check_exact(LayerRates(lr=0.1, per_step=per_step, clip=1.0), SCOPES[scope])
    idle = [n for n, v in own.items() if not v.any()]
    assert idle == ([RATE + "pooler"] if scope == "all" else [])
    if per_step:
        assert all(bool(v.all()) for n, v in own.items() if n not in idle), "every step has a derivative"
