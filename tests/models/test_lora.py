"""LoRA: the identity at the start, equal to merged weights, differentiable, deterministic."""

import pytest
import torch

from metaglot.errors import MetaglotError
from metaglot.models import HfLearner
from metaglot.models.lora import SCALE, lora_init
from metaglot.types import Batch, Params

TARGETS = {"bert": ("query", "value"), "gpt2": ("c_attn",), "xlnet": ("layer_1", "layer_2")}


@pytest.fixture(params=list(TARGETS))
def case(request: pytest.FixtureRequest):
    return request.getfixturevalue(request.param), TARGETS[request.param]


def moved(start: Params):
    rng = torch.Generator().manual_seed(3)
    return {n: v + 0.2 * torch.randn(v.shape, generator=rng).to(v) for n, v in start.items()}


def test_the_start_is_the_identity(case: tuple[HfLearner, tuple[str, ...]], support: Batch):
    learner, targets = case
    start = lora_init(learner.body(), rank=2, targets=targets, seed=0)
    assert len(start) == 2 * 2 * len(targets)  # a and b, two layers
    assert torch.equal(learner.forward(start, support).pooled, learner.forward({}, support).pooled)
    assert all(not v.any() for n, v in start.items() if n.endswith(".b"))
    assert all(v.dtype == torch.float64 for v in start.values())


def test_forward_equals_merged_weights(case: tuple[HfLearner, tuple[str, ...]], support: Batch):
    learner, targets = case
    pairs = moved(lora_init(learner.body(), rank=2, targets=targets, seed=0))
    body = dict(learner.body())
    merged = {}
    for key in pairs:
        if key.endswith(".a"):
            name = "body." + key.removeprefix("lora.").removesuffix(".a")
            merged[name] = body[name] + SCALE * pairs[key.removesuffix(".a") + ".b"] @ pairs[key]
    assert len(merged) == 2 * len(targets)
    expected = learner.forward(merged, support).pooled
    assert torch.allclose(learner.forward(pairs, support).pooled, expected, atol=1e-12, rtol=0)
    assert not torch.allclose(expected, learner.forward({}, support).pooled)
    # On top of a substituted body too.
    other = {n: v * 1.1 for n, v in body.items()}
    on_top = {n: other[n] + merged[n] - body[n] for n in merged}
    expected = learner.forward({**other, **on_top}, support).pooled
    assert torch.allclose(learner.forward({**other, **pairs}, support).pooled, expected, atol=1e-12, rtol=0)


def test_shapes_bounds_and_seed(bert: HfLearner):
    body = bert.body()
    start = lora_init(body, rank=3, targets=("query", "intermediate.dense.weight"), seed=0)
    assert len(start) == 8
    for name, value in start.items():
        m, n = body["body." + name.removeprefix("lora.")[:-2]].shape
        assert value.shape == ((3, n) if name.endswith(".a") else (m, 3))
        assert value.abs().max() <= n**-0.5
    again = lora_init(body, rank=3, targets=("query", "intermediate.dense.weight"), seed=0)
    assert all(torch.equal(start[name], again[name]) for name in start)
    other = lora_init(body, rank=3, targets=("query",), seed=1)
    assert not any(torch.equal(start[n], v) for n, v in other.items() if n.endswith(".a"))
    assert len({v.sum().item() for n, v in start.items() if n.endswith(".a")}) == 4, "each weight has its own noise"


@pytest.mark.parametrize(
    ("rank", "targets", "message"),
    [
        (0, ("query",), "rank of at least 1, got 0"),
        (2, ("quary",), r"'quary' matches no weight matrix; there are: .*query"),
        (2, ("query", "LayerNorm.weight"), "'LayerNorm.weight' matches no weight matrix"),
        (2, (), "at least one target"),
    ],
)
def test_what_cannot_be_is_an_error_that_names_the_way_out(
    bert: HfLearner, rank: int, targets: tuple[str, ...], message: str
):
    with pytest.raises(MetaglotError, match=message):
        lora_init(bert.body(), rank=rank, targets=targets, seed=0)


def test_names_that_a_gpt2_lacks_name_what_there_is(gpt2: HfLearner):
    with pytest.raises(MetaglotError, match="c_attn"):
        lora_init(gpt2.body(), rank=2, targets=("query", "value"), seed=0)
