"""Warps multiply what chosen layers put out, whatever the layout of their weights."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from metaglot.algorithms.warpgrad import warpgrad
from metaglot.errors import MetaglotError
from metaglot.models import Warp
from metaglot.models.warp import PREFIX

LAYERS = {
    "bert": ("query", "encoder.layer.0.attention.self.query"),
    "gpt2": ("c_attn", "transformer.h.0.attn.c_attn"),
    "xlnet": ("layer_1", "layer.0.ff.layer_1"),
}


def noisy(warps: dict[str, Tensor]) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(2)
    return {n: v + 0.2 * torch.randn(v.shape, generator=rng, dtype=v.dtype) for n, v in warps.items()}


def output_of(learner, layer: str, params, batch) -> Tensor:
    seen: list[Tensor] = []
    handle = learner.module.get_submodule(layer).register_forward_hook(lambda _m, _i, out: seen.append(out))
    try:
        learner.forward(params, batch)
    finally:
        handle.remove()
    return seen[0]


@pytest.mark.parametrize("backbone", LAYERS)
def test_a_layer_puts_out_its_warped_output(backbone, request, support):
    learner = request.getfixturevalue(backbone)
    target, layer = LAYERS[backbone]
    start = Warp((target,)).init(learner.body(), seed=0)
    assert len(start) == 2, "one in each layer"
    plain = output_of(learner, layer, {}, support)
    assert torch.equal(output_of(learner, layer, start, support), plain), "the identity at the start"
    warps = {n: v for n, v in noisy(start).items() if n == f"{PREFIX}{layer}.weight"}
    matrix = warps[f"{PREFIX}{layer}.weight"]
    assert matrix.shape == (plain.shape[-1], plain.shape[-1])
    found = output_of(learner, layer, warps, support)
    assert torch.allclose(found, plain @ matrix.T, atol=1e-12)
    assert torch.equal(output_of(learner, layer, {}, support), plain), "nothing stays behind"


def test_the_wrapped_weights_move_and_their_step_is_preconditioned(problem, bert, episode):
    """∂L/∂W = Tᵀ ∂L/∂(T W): the step that is felt behind the warp is T Tᵀ times the plain one."""
    algorithm = warpgrad(lr=0.1, steps=1, targets=("layer.1.attention.self.query",), dropout=False)
    meta = {n: v.double() for n, v in algorithm.init(bert, [problem.task], seed=0).items()}
    meta = {n: noisy({n: v})[n] if n.startswith(PREFIX) else v for n, v in meta.items()}
    weight, bias = (f"encoder.layer.1.attention.self.query.{part}" for part in ("weight", "bias"))
    fast = algorithm.adapt(problem, meta, episode.support, seed=0)
    assert set(fast.params) == {f"body.{weight}", f"body.{bias}", "head.weight", "head.bias"}

    matrix = meta[PREFIX + weight]
    start = algorithm.head.start(problem, meta, episode.support)
    plain = {n: v for n, v in meta.items() if not n.startswith(PREFIX)}
    felt = {f"body.{n}": (matrix @ meta[f"body.{n}"]).requires_grad_() for n in (weight, bias)}
    loss = problem.loss({**plain, **felt, **start}, episode.support)
    slopes = dict(zip(felt, torch.autograd.grad(loss, list(felt.values())), strict=True))
    for name, slope in slopes.items():
        assert torch.allclose(fast.params[name], meta[name] - 0.1 * matrix.T @ slope, rtol=1e-9, atol=1e-14)
    assert bool(slopes[f"body.{weight}"].any())


def test_a_warp_that_stays_the_identity_is_plain_gradient_descent(problem, bert, episode):
    from metaglot.models import Named

    warped = warpgrad(lr=0.1, steps=2, dropout=False)
    plain = replace(warped, scope=Named(("*.query.*", "*.value.*")))
    meta = warped.init(bert, [problem.task], seed=0)
    without = {n: v for n, v in meta.items() if not n.startswith(PREFIX)}
    one, two = (a.adapt(problem, m, episode.support, seed=0).params for a, m in ((warped, meta), (plain, without)))
    assert set(one) == set(two)
    assert len(one) == 8 + 2
    assert all(torch.allclose(one[n], two[n], rtol=1e-10, atol=1e-14) for n in one)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ((), "at least one target"),
        (("queri",), r"'queri' matches no weight matrix; there are: dense, key, query, value"),
        (("word_embeddings",), "'word_embeddings' matches no weight matrix"),
    ],
)
def test_wrong_targets_name_the_way_out(bert, targets, message):
    with pytest.raises(MetaglotError, match=message):
        Warp(targets).init(bert.body(), seed=0)


def test_a_warp_of_another_backbone_is_an_error(gpt2, bert, support):
    with pytest.raises(MetaglotError, match=r"no weight encoder.layer.0.attention.self.query.weight"):
        gpt2.forward(Warp().init(bert.body(), seed=0), support)
