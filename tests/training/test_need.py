"""The need of memory: the estimate against the graphs of a whole episode, as autograd holds them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from metaglot.algorithms import GradientBased
from metaglot.inner import Adam, Curvature, LayerRates, Recurrent, Sgd, Unrolled
from metaglot.inner.estimators.parts import judge, leaves_of, points_of
from metaglot.models import All, BiasNorm, Lora, Prototypes, Zeros
from metaglot.models.rows import touched
from metaglot.training.need import EpisodeSize, Graph, Need, grown, measured
from metaglot.types import Problem

PLAIN = GradientBased(All(), Zeros(), Sgd(lr=0.03), 4, Unrolled())
CASES: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "prototypes": {"head": Prototypes()},
    "without dropout": {"dropout": False},
    "adam": {"rule": Adam(lr=0.02)},
    "layer rates, judged after each step": {"rule": LayerRates(per_step=True), "weights": (0.25,) * 4},
    "curvature": {"rule": Curvature()},
    "recurrent, lora": {"rule": Recurrent(hidden=4), "scope": Lora(rank=2)},
    "bias and norm": {"scope": BiasNorm()},
    "chunks": {"chunk": 4},
    "one step": {"steps": 1},
    "nine steps": {"steps": 9},
}
LARGEST = EpisodeSize(support=12, query=9, tokens=24)


def held(algorithm: GradientBased, problem: Problem, episode, largest: EpisodeSize) -> int:
    """The bytes that the graphs of a whole episode hold just before the way back."""
    rows = len(problem.learner.body()[f"body.{problem.learner.embedding.name}"])
    support, query = (
        grown(part, count, largest.tokens, rows)
        for part, count in ((episode.support, largest.support), (episode.query, largest.query))
    )
    meta = algorithm.init(problem.learner, [problem.task], seed=0)
    small = touched(problem, meta, replace(episode, support=support, query=query))
    leaves = leaves_of(small.meta)
    seed = 3 if algorithm.dropout else None
    graph = Graph(leaves, small.episode.support, small.episode.query)
    with saved_tensors_hooks(graph.pack, lambda value: value):
        inner = algorithm.inner._replace(weights=algorithm.weights)
        start = inner.start(problem, leaves, small.episode.support, seed=seed)
        visited = list(inner.loop.walk(problem, leaves, start, small.episode.support, seed=seed, create_graph=True))
        judge(problem, leaves, points_of(inner, visited), small.episode, seed)
    for fast in visited:
        graph.hold(fast.params)
        graph.hold(fast.rule_state)
    return graph.bytes


@pytest.mark.parametrize("name", CASES)
def test_the_estimate_is_within_a_quarter_of_a_real_graph(make_bert, problem, episode, name):
    learner = make_bert(dtype=torch.float32)
    algorithm = replace(PLAIN, **CASES[name])
    need = measured(algorithm, learner, episode, LARGEST)
    real = held(algorithm, replace(problem, learner=learner), episode, LARGEST)
    assert real > 1e5
    assert need.kept(need.steps) == pytest.approx(real, rel=0.25)
    print(f"{name}: estimated {need.kept(need.steps):,}, held {real:,}")


def test_a_storage_counts_once_and_parameters_do_not():
    weight, x = torch.randn(8, 8, requires_grad=True), torch.randn(5, 8)
    graph = Graph({"weight": weight})
    with saved_tensors_hooks(graph.pack, lambda value: value):
        y = (x @ weight).relu()
        z = y.view(-1) * y.view(-1)
    assert z.requires_grad
    assert graph.bytes == x.nbytes + y.nbytes  # relu keeps its result, and so do both factors of the product
    with saved_tensors_hooks(graph.pack, lambda value: value):
        (y[:2] * 2.0).exp()
    assert graph.bytes == x.nbytes + y.nbytes + y[:2].nbytes


def test_the_more_graphs_are_kept_the_more_is_needed():
    need = Need(steps=5, losses=1, start=10, first=60, step=100, query=40, state=7)
    assert [need.kept(k) for k in range(6)] == [145, 178, 271, 364, 457, 510]
    assert need._replace(back=0.25).kept(0) == 85  # a quarter of the texts at a time; the query loss then counts
    assert need._replace(losses=5).kept(2) == 10 + 280 + 21
    assert need._replace(losses=5).kept(5) == 470 + 200


def test_a_grown_episode_has_its_shape(episode):
    large = grown({**episode.support, "token_type_ids": torch.zeros_like(episode.support["input_ids"])}, 17, 30, 48)
    assert {name: tuple(value.shape) for name, value in large.items()} == {
        "input_ids": (17, 30),
        "attention_mask": (17, 30),
        "token_type_ids": (17, 30),
        "labels": (17,),
    }
    assert bool(large["attention_mask"].all())
    assert len(large["input_ids"].unique()) > 40
    assert set(large["labels"].tolist()) == {0, 1, 2}
    smaller = grown(episode.support, 2, 3, 48)
    assert tuple(smaller["input_ids"].shape) == (2, 3)


def test_what_is_frozen_is_not_held(make_bert, episode):
    learner = make_bert(dtype=torch.float32)
    whole = measured(PLAIN, learner, episode, LARGEST)
    frozen = measured(PLAIN, learner, episode, LARGEST, freeze=("embeddings.*", "encoder.layer.0.*"))
    assert frozen.held < whole.held
    assert frozen.state < whole.state
    assert frozen.step < whole.step
