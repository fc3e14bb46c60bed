"""Texts that are written and algorithms: each algorithm that takes steps learns them, and the others say why not."""

import math
from typing import Any

import pytest
import torch
from tests.contract.test_kinds import OPTIONS

from metaglot.algorithms import build_algorithm
from metaglot.algorithms.metanet import metanet_n
from metaglot.assembly.measures import check_learns
from metaglot.choices import ALGORITHMS, FAMILIES
from metaglot.errors import MetaglotError
from metaglot.families.batches import concatenate
from metaglot.families.language import of_language
from metaglot.families.prompts import Whole
from metaglot.families.writing import Writing, decoder_row
from metaglot.models import Lora
from metaglot.seeds import torch_generator
from metaglot.types import Batch, Episode, Problem, TaskInfo

TASK = TaskInfo("writing", "writing", ("text",), (0,), family="generation")
WITHOUT_STEPS = ("protonet", "cotrained", "matchingnet", "r2d2", "metaoptnet")
QUICK = ("joint", "fomaml", "reptile", "metanet-n", "protonet")


def episode() -> Episode:
    """Texts of tokens that are to be written in the order from the last to the first."""
    objective = Writing(0)

    def batch(seed: int) -> Batch:
        rng = torch_generator(seed, "writing")
        sources = [torch.randint(3, 48, (3 + i % 3,), generator=rng).tolist() for i in range(8)]
        return objective.collate([decoder_row(Whole([*one, 1], [*one[::-1], 2], cut=False)) for one in sources])

    return Episode(TASK, objective, batch(1), batch(2))


def _marked() -> list[Any]:
    return [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in ALGORITHMS]


@pytest.mark.parametrize("name", _marked())
def test_an_algorithm_learns_to_write_or_says_why_not(name, gpt2):
    algorithm, drawn = build_algorithm(name, OPTIONS.get(name)), episode()
    problem = Problem(gpt2, drawn.objective, TASK)
    meta = algorithm.init(gpt2, (TASK,), seed=0)
    if name in WITHOUT_STEPS:
        with pytest.raises(MetaglotError, match="without inner steps nothing is learnt"):
            algorithm.meta_grad([problem], meta, [drawn], step=0, seed=0)
        return
    found = algorithm.meta_grad([problem], meta, [drawn], step=0, seed=0)
    assert all(bool(grad.isfinite().all()) for grad in found.grads.values())
    assert max(float(grad.abs().max()) for grad in found.grads.values()) > 0
    fast = algorithm.adapt(problem, meta, drawn.support, seed=0)
    with torch.no_grad():
        before, after = (float(problem.loss(params, drawn.support)) for params in (meta, {**meta, **fast.params}))
    assert math.isfinite(after)
    assert after < before


class Set:
    """What `check_learns` asks of a source."""

    info = TASK


@pytest.mark.parametrize("name", ["protonet", "r2d2", "fomaml"])
def test_a_recipe_is_refused_before_anything_is_trained(name):
    algorithm = build_algorithm(name)
    if name == "fomaml":
        check_learns(algorithm, name, [Set()])
        return
    with pytest.raises(MetaglotError, match=f"{name} cannot learn tasks of generation: texts are written"):
        check_learns(algorithm, name, [Set()])


def test_what_the_list_of_choices_says_of_kinds_is_true():
    for name in FAMILIES:
        writes = FAMILIES[name]().writes is not None
        assert (FAMILIES.kinds[name].writes, FAMILIES.over_vocabulary(name)) == (writes, writes)
    assert of_language([TASK])
    assert FAMILIES.over_vocabulary("causal-lm")
    assert not FAMILIES.over_vocabulary("classification")


def test_joined_batches_and_chunks_weigh_what_is_judged(gpt2):
    drawn = episode()
    both = concatenate(drawn.support, drawn.query)
    assert drawn.objective.judged(both) == drawn.objective.judged(drawn.support) + drawn.objective.judged(drawn.query)
    assert drawn.objective.of_data_set(both, TASK) is both


def test_the_gradient_of_a_network_that_writes_lora_updates_is_that_of_finite_differences(gpt2):
    """In one pass the support gradient does not depend on the network, so that the first order is exact for it."""
    rule_net, drawn = metanet_n(scope=Lora(2), lr=1.0, dropout=False, estimator="first-order"), episode()
    problem = Problem(gpt2, drawn.objective, TASK)
    meta = {name: value.double() for name, value in rule_net.init(gpt2, (TASK,), seed=0).items()}
    rng = torch_generator(0, "way")
    ways = {
        name: torch.randn(value.shape, generator=rng).double()
        for name, value in meta.items()
        if name.startswith("algorithm.rule.") and ".head" not in name
    }
    assert any(".net." in name for name in ways)
    found = rule_net.meta_grad([problem], meta, [drawn], step=0, seed=0).grads
    slope = sum(float((found[name] * way).sum()) for name, way in ways.items())

    def loss(size: float) -> float:
        there = {**meta, **{name: meta[name] + size * way for name, way in ways.items()}}
        fast = rule_net.adapt(problem, there, drawn.support, seed=0)
        with torch.no_grad():
            return float(problem.loss({**there, **fast.params}, drawn.query))

    assert abs(slope) > 1e-6
    assert slope == pytest.approx((loss(1e-5) - loss(-1e-5)) / 2e-5, rel=1e-4)
