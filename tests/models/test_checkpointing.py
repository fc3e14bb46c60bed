"""Checkpointing under substituted parameters: the same gradients, by finite differences too, and less memory."""

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch
from tests.learners import random_module
from torch import nn
from transformers import BertConfig, BertModel

from metaglot.algorithms import GradientBased
from metaglot.errors import MetaglotError
from metaglot.inner import Adjoint, FirstOrder, Sgd, Unrolled
from metaglot.models import All, Backbone, HfLearner, Lora, Prototypes, Runtime, load_backbone
from metaglot.models.checkpointing import checkpointed, layers_of
from metaglot.types import Params, Problem

PLAIN = GradientBased(All(), Prototypes(), Sgd(lr=0.1), 2, Unrolled(), dropout=True)
ESTIMATORS = {"unrolled": Unrolled(), "adjoint": Adjoint(), "first-order": FirstOrder()}


def start(algorithm, problem) -> dict[str, torch.Tensor]:
    meta = algorithm.init(problem.learner, [problem.task], seed=0)
    rng = torch.Generator().manual_seed(1)
    # Away from the frozen weights, or recomputing with those would not show.
    return {n: v.double() + 0.05 * torch.randn(v.shape, generator=rng, dtype=torch.float64) for n, v in meta.items()}


def gap(found: Params, truth: Params) -> float:
    away = torch.cat([(found[n] - truth[n]).flatten() for n in truth]).norm()
    return float(away / torch.cat([v.flatten() for v in truth.values()]).norm())


@pytest.mark.parametrize("scope", [All(), Lora(rank=2)], ids=["all", "lora"])
@pytest.mark.parametrize("dropout", [False, True], ids=["plain", "dropout"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_gradients_are_the_same(problem, episode, name, dropout, scope):
    algorithm = replace(PLAIN, estimator=ESTIMATORS[name], dropout=dropout, scope=scope)
    meta = start(algorithm, problem)
    lean = Problem(replace(problem.learner, checkpointing=True), problem.objective, problem.task)
    truth, found = (algorithm.meta_grad([p], meta, [episode], step=0, seed=1).grads for p in (problem, lean))
    assert gap(found, truth) < 1e-12


@pytest.mark.parametrize("name", ["unrolled", "adjoint"])
def test_an_exact_gradient_follows_a_finite_difference(problem, episode, name):
    algorithm = replace(PLAIN, estimator=ESTIMATORS[name])
    lean = Problem(replace(problem.learner, checkpointing=True), problem.objective, problem.task)
    meta = start(algorithm, lean)
    rng = torch.Generator().manual_seed(3)
    along = {n: torch.randn(v.shape, generator=rng, dtype=v.dtype) for n, v in meta.items()}

    def judged(sign: float):
        moved = {n: v + sign * along[n] for n, v in meta.items()}
        return algorithm.meta_grad([lean], moved, [episode], step=0, seed=1)

    def loss(h: float) -> float:
        return float(judged(h).records[0]["loss"])

    h = 1e-4
    slope = (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h)
    grads = judged(0.0).grads
    found = float(sum((grads[n] * along[n]).sum() for n in grads))
    assert abs(found) > 1e-4
    assert found == pytest.approx(slope, rel=1e-6)


def test_first_order_is_the_gradient_where_the_loop_ended(problem, episode):
    """By a finite difference of the query loss at φ_T, moved with the start: what first order means."""
    algorithm = replace(PLAIN, estimator=FirstOrder(), dropout=False, head=Prototypes())
    lean = Problem(replace(problem.learner, checkpointing=True), problem.objective, problem.task)
    meta = start(algorithm, lean)
    fast = algorithm.adapt(lean, meta, episode.support, seed=0)
    inner = algorithm.inner
    with torch.no_grad():
        first = inner.start(lean, meta, episode.support, seed=None)
    way = {n: fast.params[n] - first[n] for n in first}
    rng = torch.Generator().manual_seed(3)
    along = {n: torch.randn(v.shape, generator=rng, dtype=v.dtype) for n, v in meta.items()}

    def loss(h: float) -> float:
        moved = {n: v + h * along[n] for n, v in meta.items()}
        with torch.no_grad():
            at = {n: v + way[n] for n, v in inner.start(lean, moved, episode.support, seed=None).items()}
            return float(lean.loss({**moved, **at}, episode.query))

    h = 1e-4
    slope = (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h)
    grads = algorithm.meta_grad([lean], meta, [episode], step=0, seed=1).grads
    assert float(sum((grads[n] * along[n]).sum() for n in grads)) == pytest.approx(slope, rel=1e-6)


def test_checkpointing_of_transformers_itself_takes_the_frozen_weights(problem, episode):
    """The trap: recomputed after the substitution has ended, with no error; this is why there is a way of our own."""
    config = copy.deepcopy(problem.learner.module.config)
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0  # else the lost dropout gives it away
    module = random_module(lambda: BertModel(config))
    module.load_state_dict(problem.learner.module.state_dict())
    module.requires_grad_(requires_grad=True)
    module._set_gradient_checkpointing(
        enable=True, gradient_checkpointing_func=partial(torch.utils.checkpoint.checkpoint, use_reentrant=False)
    )
    algorithm = replace(PLAIN, estimator=FirstOrder())
    meta = start(algorithm, problem)
    naive = Problem(HfLearner(module), problem.objective, problem.task)
    found = algorithm.meta_grad([naive], meta, [episode], step=0, seed=1)
    truth = replace(algorithm, dropout=False).meta_grad([problem], meta, [episode], step=0, seed=1)
    assert found.records[0]["loss"] != truth.records[0]["loss"], "already the inner loop went another way"
    assert gap(found.grads, truth.grads) > 1e-2


def saved(learner: HfLearner, params: Params, batch) -> int:
    """Bytes of distinct tensors that a forward pass keeps for the backward pass, parameters left out."""
    kept: dict[int, int] = {}
    own = {value.untyped_storage().data_ptr() for value in params.values()}

    def pack(value: torch.Tensor) -> torch.Tensor:
        where = value.untyped_storage().data_ptr()
        if where not in own:
            kept[where] = value.untyped_storage().nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        out = learner.forward(params, batch, seed=1)
    assert out.pooled.requires_grad
    return sum(kept.values())


def test_the_memory_of_a_layer_is_that_of_its_input(episode):
    """Kept bytes a layer, from networks of two and four layers: 16 numbers a token instead of several hundred."""

    def deep(layers: int, *, checkpointing: bool) -> int:
        config = BertConfig(
            vocab_size=48,
            hidden_size=16,
            num_hidden_layers=layers,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=32,
            attn_implementation="eager",
        )
        learner = HfLearner(random_module(lambda: BertModel(config)), checkpointing=checkpointing)
        params = {n: v.clone().requires_grad_() for n, v in learner.body().items()}
        return saved(learner, params, episode.query)

    tokens = episode.query["input_ids"].numel()
    lean = (deep(4, checkpointing=True) - deep(2, checkpointing=True)) / 2
    full = (deep(4, checkpointing=False) - deep(2, checkpointing=False)) / 2
    mask = 8 * tokens * episode.query["input_ids"].shape[1]
    assert lean <= 8 * 16 * tokens + mask
    assert full > 10 * lean, f"{full:.0f} bytes a layer without, {lean:.0f} with"


@pytest.mark.parametrize("backbone", ["gpt2", "xlnet", "bert"])
def test_other_backbones(backbone, request, episode):
    learner: HfLearner = request.getfixturevalue(backbone)
    assert len(layers_of(learner.module)) == 2
    problem = Problem(learner, episode.objective, episode.task)
    lean = Problem(replace(learner, checkpointing=True), episode.objective, episode.task)
    meta = start(PLAIN, problem)
    truth, found = (PLAIN.meta_grad([p], meta, [episode], step=0, seed=1).grads for p in (problem, lean))
    assert gap(found, truth) < 1e-12


def test_the_module_is_as_it_was(bert, support):
    lean = replace(bert, checkpointing=True)
    params = {n: v.clone().requires_grad_() for n, v in bert.body().items()}
    before = [set(layer.__dict__) for layer in layers_of(bert.module)]
    out = lean.forward(params, support, seed=3).pooled
    state = torch.get_rng_state()
    out.sum().backward()
    assert torch.equal(torch.get_rng_state(), state)
    assert [set(layer.__dict__) for layer in layers_of(bert.module)] == before
    assert not any(part.training for part in bert.module.modules())
    assert all(isinstance(value, nn.Parameter) for value in bert.module.parameters())
    layer = layers_of(bert.module)[0]
    layer.forward = own = layer.forward
    try:
        with checkpointed(bert.module, training=False):
            assert layer.forward is not own
        assert layer.forward is own
    finally:
        del layer.forward


def test_the_loader_passes_it_on_and_refuses_what_has_no_layers(monkeypatch):
    made: Backbone = load_backbone("builtin:tiny", Runtime(checkpointing=True))
    assert made.learner.checkpointing
    assert "layers recomputed" in made.notes[0]
    assert not load_backbone("builtin:tiny").learner.checkpointing
    monkeypatch.setattr("metaglot.models.load.layers_of", lambda module: [])
    with pytest.raises(MetaglotError, match="no list of layers"):
        load_backbone("builtin:tiny", Runtime(checkpointing=True))
