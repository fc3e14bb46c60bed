"""Derivatives of noisy functions, and gradients of networks that cast to fp32 inside."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.language import random_module
from transformers import AutoConfig, AutoModel

from metaglot.algorithms import build_algorithm
from metaglot.algorithms.check import TOLERANCE, check_gradient
from metaglot.algorithms.differences import STEPS, derivative, noise_of
from metaglot.algorithms.maml import maml
from metaglot.inner import FirstOrder
from metaglot.models import HfLearner, Prototypes
from metaglot.seeds import generator

SHAPE = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
CASTS: dict[str, dict[str, Any]] = {  # kinds whose code casts to fp32, whatever the precision of the weights
    "modernbert": {"local_attention": 16},
    "qwen3": {"num_key_value_heads": 2, "head_dim": 8},
    "deberta": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False},
}
IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}


KINDS = pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[] if kind == "modernbert" else pytest.mark.slow) for kind in CASTS]
)


def casting(kind: str) -> HfLearner:
    """Return a random network in float64 that computes some of itself in fp32; weights large enough to matter."""
    config = AutoConfig.for_model(kind, **{**SHAPE, **IDS, **CASTS[kind]})
    config._attn_implementation = "eager"
    module = random_module(lambda: AutoModel.from_config(config))
    for value in module.parameters():
        if value.ndim > 1:
            value.data.mul_(8)
    return HfLearner(module)


def noisy(scale: float, seed: int) -> Callable[[float], float]:
    rng = generator(seed, "noise")
    return lambda x: math.exp(0.7 * x) + math.sin(3 * x) + scale * float(rng.standard_normal())


@pytest.mark.parametrize("scale", [0.0, 1e-12, 1e-10, 1e-8])
def test_the_bound_holds_and_is_no_excuse(scale: float):
    truth, errors, bounds = 0.7 + 3.0, [], []
    for seed in range(60):
        found = derivative(noisy(scale, seed))
        errors.append(abs(found.value - truth))
        bounds.append(found.bound)
    assert sum(error <= bound for error, bound in zip(errors, bounds, strict=True)) >= 58
    assert max(bounds) <= {0.0: 1e-8, 1e-12: 3e-8, 1e-10: 1e-6, 1e-8: 1e-4}[scale]


def test_noise_is_read_past_what_is_smooth():
    assert noise_of([math.sin(STEPS[0] * k) for k in range(-4, 5)]) < 1e-15
    rng = generator(0, "noise")
    found = [noise_of([math.sin(STEPS[0] * k) + 1e-9 * rng.standard_normal() for k in range(-4, 5)]) for _ in range(40)]
    assert sum(found) / 40 == pytest.approx(1e-9, rel=0.3)


@KINDS
def test_a_right_gradient_of_a_network_that_casts_holds(kind: str):
    found = check_gradient(build_algorithm("maml"), casting(kind))
    assert max(one.allowed for one in found.along) > 1.1 * TOLERANCE, "this network is not noisy"
    assert any(one.shows for one in found.along)
    assert found.holds, found


@KINDS
def test_a_wrong_gradient_of_a_network_that_casts_is_found(kind: str):
    false = replace(maml(lr=0.1, steps=2, head=Prototypes()), estimator=FirstOrder(exact=True))
    assert check_gradient(false, casting(kind)).holds is False


def test_a_network_without_casts_is_held_to_the_tolerance(bert: HfLearner):
    found = check_gradient(build_algorithm("maml", {"lr": 1e-2}), bert)
    assert all(one.allowed < 1.1 * TOLERANCE for one in found.along)
    assert found.holds
