"""Kinds of tasks and algorithms: each algorithm takes a task of each kind, or says why it cannot.

On a network of random weights, whose features tell little, heads in closed form and small steps must learn; that the
others learn with their defaults is shown on a trained network (`test_defaults.py`).

A kind joins by being in `FAMILIES`, an algorithm by being in `ALGORITHMS`.
"""

import math
from typing import Any

import pytest
import torch
from tests.contract.kinds import KINDS, REFUSED, Kind

from metaglot.algorithms import build_algorithm
from metaglot.choices import ALGORITHMS
from metaglot.errors import MetaglotError
from metaglot.families.batches import concatenate, take
from metaglot.families.tag_words import UNJUDGED
from metaglot.types import Problem

VOCAB = 48
OPTIONS: dict[str, dict[str, Any]] = {
    "imaml": {"iterations": 2},
    "reml": {"steps": 2},
    "sequential-reptile": {"steps": 2},
}
LEARN = ("protonet", "cotrained", "matchingnet", "r2d2", "metaoptnet", "joint", "transfer", "imaml", "reml")
EASY = ("protonet", "r2d2", "fomaml", "matchingnet")  # run in `make test` with every kind


def _marked() -> list[Any]:
    pairs = [(name, kind) for kind in KINDS for name in ALGORITHMS]
    quick = {(name, kind) for name, kind in pairs if name in EASY or kind == "tagging"} | set(REFUSED)
    return [pytest.param(*pair, marks=[] if pair in quick else pytest.mark.slow, id="-".join(pair)) for pair in pairs]


@pytest.mark.parametrize(("name", "kind"), _marked())
def test_an_algorithm_learns_a_kind_or_says_why_not(name, kind, bert):
    of: Kind = KINDS[kind]
    algorithm, episode = build_algorithm(name, OPTIONS.get(name)), of.episode(VOCAB)
    problem = Problem(bert, episode.objective, of.task)
    if (name, kind) in REFUSED:
        with pytest.raises(MetaglotError, match=REFUSED[name, kind]):
            algorithm.adapt(problem, algorithm.init(bert, (of.task,), seed=0), episode.support, seed=0)
        return
    meta = algorithm.init(bert, (of.task,), seed=0)
    found = algorithm.meta_grad([problem], meta, [episode], step=0, seed=0)
    assert all(bool(grad.isfinite().all()) for grad in found.grads.values())
    assert max(float(grad.abs().max()) for grad in found.grads.values()) > 0
    fast = algorithm.adapt(problem, meta, episode.support, seed=0)
    with torch.no_grad():
        logits = problem.logits({**meta, **fast.params}, episode.support)
    metrics = problem.objective.metrics(logits, episode.support)
    assert all(map(math.isfinite, metrics.values()))
    if kind == "tagging":
        judged = episode.support["tags"] != UNJUDGED
        assert float((logits.argmax(-1) == episode.support["tags"])[judged].float().mean()) > 0.45
    if name in LEARN:
        idle = problem.objective.metrics(of.constant.expand(logits.shape).to(logits.dtype), episode.support)
        primary = problem.objective.measures[0]
        better = primary.gain(metrics[primary.name], idle[primary.name]) > 0
        assert better or metrics["loss"] < 0.99 * idle["loss"], (metrics, idle)


@pytest.mark.parametrize("kind", KINDS)
def test_parts_weighed_by_what_is_judged_are_the_whole(kind, bert):
    episode = KINDS[kind].episode(VOCAB)
    problem = Problem(bert, episode.objective, KINDS[kind].task)
    head = {
        "head.weight": torch.randn(
            problem.head_spec.outputs, problem.head_spec.inputs, generator=torch.Generator()
        ).double(),
        "head.bias": torch.zeros(problem.head_spec.outputs).double(),
    }
    whole = episode.support
    parts = [take(whole, rows) for rows in torch.arange(len(whole["input_ids"])).split(5)]
    judged = [problem.objective.judged(part) for part in parts]
    losses = [float(problem.loss(head, part)) for part in parts]
    assert sum(judged) == problem.objective.judged(whole)
    mean = sum(n * loss for n, loss in zip(judged, losses, strict=True)) / sum(judged)
    assert mean == pytest.approx(float(problem.loss(head, whole)), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_joined_batches_and_targets_of_the_whole_set_are_as_they_were(kind, bert):
    episode = KINDS[kind].episode(VOCAB)
    objective, task = episode.objective, KINDS[kind].task
    both = concatenate(episode.support, episode.query)
    assert objective.judged(both) == objective.judged(episode.support) + objective.judged(episode.query)
    of_set = objective.of_data_set(episode.support, task)
    assert objective.judged(of_set) == objective.judged(episode.support)
    # A head of the data set, whose rows are those of the task at the places of its classes, gives the same loss.
    problem = Problem(bert, objective, task)
    spec, rng = problem.head_spec, torch.Generator().manual_seed(3)
    weight = torch.randn(spec.outputs, spec.inputs, generator=rng, dtype=torch.float64)
    head = {"head.weight": weight, "head.bias": torch.zeros(spec.outputs).double()}
    numbers = list(task.classes)
    if spec.shared:  # its outputs are the same in every task
        numbers = list(range(spec.outputs))
    elif spec.level == "token":  # O, and two tags of each label
        numbers = [0, *(1 + 2 * c + behind for c in numbers for behind in (0, 1))]
    wide = weight.new_zeros(max(numbers) + 1, spec.inputs)
    wide[numbers] = weight
    bias = weight.new_full((len(wide),), -1e9)
    bias[numbers] = 0.0
    alone = float(problem.loss(head, episode.support))
    assert float(problem.loss({"head.weight": wide, "head.bias": bias}, of_set)) == pytest.approx(alone, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_measures_say_what_the_metrics_are_and_which_way_is_better(kind, bert):
    episode = KINDS[kind].episode(VOCAB)
    problem = Problem(bert, episode.objective, KINDS[kind].task)
    spec, primary = problem.head_spec, episode.objective.measures[0]
    head = {"head.weight": torch.eye(spec.outputs, spec.inputs).double(), "head.bias": torch.zeros(spec.outputs)}
    found = episode.objective.metrics(problem.logits(head, episode.query), episode.query)
    assert set(found) == {metric.name for metric in episode.objective.measures}
    assert all(metric.in_bounds(found[metric.name]) for metric in episode.objective.measures)
    if spec.level != "pooled":
        return
    targets = problem.units(head, episode.query).targets.double()
    perfect = targets if spec.outputs == 1 else 100 * (2 * targets - 1)
    best = episode.objective.metrics(perfect, episode.query)[primary.name]
    assert best == pytest.approx(primary.high if primary.better == "higher" else primary.low, abs=1e-6)
    assert primary.gain(best, found[primary.name]) > 0
