"""What every algorithm refuses, and other backbones than BERT."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from tests.contract.cases import (
    WRITERS,
    Untouched,
    World,
    adapt,
    judge,
    noisy,
    same,
    world,
)

from metaglot.choices import ALGORITHMS
from metaglot.errors import MetaglotError
from metaglot.models import HeadOnly, HfLearner, Lora, Named, Prototypes, Zeros
from metaglot.tasks import sources_of
from metaglot.types import Episode

WRONG = {
    "a pattern": (Named(("encoder.layer.5.*",)), r"'encoder.layer.5.\*' matches no parameter"),
    "no pattern": (Named(()), "at least one pattern"),
    "a target": (Lora(targets=("queri",)), "'queri' matches no weight matrix"),
    "no target": (Lora(targets=()), "at least one target"),
    "a rank": (Lora(rank=0), "rank of at least 1"),
}
SCOPED = [
    name
    for name, make in ALGORITHMS.items()
    if "scope" in inspect.signature(make).parameters and name not in WRITERS  # they refuse other scopes before
]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", SCOPED)
def test_a_wrong_scope_is_an_error_that_names_the_way_out(name: str, wrong: str, here: World):
    scope, message = WRONG[wrong]
    with pytest.raises(MetaglotError, match=message):
        ALGORITHMS[name](scope=scope).init(here.problems[0].learner, here.infos, seed=0)
    assert len(SCOPED) >= 3


STEPPED = [name for name, make in ALGORITHMS.items() if {"steps", "head"} <= set(inspect.signature(make).parameters)]


@pytest.mark.parametrize("name", STEPPED)
@pytest.mark.parametrize(("steps", "message"), [(0, "use head=prototypes or steps"), (-1, "-1 steps; use 0 or more")])
def test_a_loop_that_cannot_learn_is_refused(name: str, steps: int, message: str, here: World):
    with pytest.raises(MetaglotError, match=message):
        ALGORITHMS[name](steps=steps, head=Zeros()).init(here.problems[0].learner, here.infos, seed=0)
    assert len(STEPPED) >= 6


@pytest.mark.parametrize("options", [{"scope": HeadOnly()}, {"steps": 0, "head": Prototypes()}], ids=str)
def test_reptile_without_a_way_is_refused(options: dict[str, Any], here: World):
    with pytest.raises(MetaglotError, match="Reptile moves the start"):
        ALGORITHMS["reptile"](**options).init(here.problems[0].learner, here.infos, seed=0)


def test_transfer_takes_one_source(here: World, make_toy: Callable[..., Any]):
    two = [*here.infos, *(s.info for s in sources_of(make_toy(name="other")))]
    with pytest.raises(MetaglotError, match=r"exactly one source, got 2 \(other, toy\).* joint"):
        ALGORITHMS["transfer"]().init(here.problems[0].learner, two, seed=0)
    meta = ALGORITHMS["joint"]().init(here.problems[0].learner, two, seed=0)
    assert {n for n in meta if n.startswith("heads.")} == {
        f"heads.{name}.{part}" for name in ("toy", "other") for part in ("weight", "bias")
    }


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_a_scale_that_is_not_positive_is_refused(here: World, scale: float):
    with pytest.raises(MetaglotError, match="scale"):
        ALGORITHMS["protonet"](scale=scale).init(here.problems[0].learner, here.infos, seed=0)


OTHERS = {
    "gpt2": Named(("transformer.h.1.*",)),
    "xlnet": Named(("layer.1.*",)),
}


KINDS = ["protonet", "fomaml", "maml", "named", "lora", "joint", "reptile", "cavia", "warpgrad", "metaoptnet", "leo"]
KINDS += ["reml", "metanet-1", "metanet-n"]
QUICK = {"protonet", "maml", "lora", "joint", "cavia", "metanet-n"}


@pytest.mark.parametrize("backbone", OTHERS)
@pytest.mark.parametrize("kind", [pytest.param(k, marks=[] if k in QUICK else pytest.mark.slow) for k in KINDS])
def test_other_backbones(backbone: str, kind: str, request: pytest.FixtureRequest, toy: Any, episodes: list[Episode]):
    learner: HfLearner = request.getfixturevalue(backbone)
    here = world(learner, toy, episodes)
    options = {"named": {"scope": OTHERS[backbone]}, "lora": {"scope": Lora(rank=2)}, "maml": {"steps": 2}}
    name = kind if kind in ALGORITHMS else "fomaml"
    head = {"head": Prototypes()} if "head" in inspect.signature(ALGORITHMS[name]).parameters else {}
    algorithm = ALGORITHMS[name](**head, **options.get(kind, {}))
    meta = noisy(algorithm.init(learner, here.infos, seed=0))
    watch = Untouched(meta, here)
    found = judge(algorithm, meta, here)
    fast = adapt(algorithm, meta, here)
    watch.check()
    assert same(found.grads, judge(algorithm, meta, here).grads)
    assert set(found.grads) == set(meta)
    assert all(bool(g.isfinite().all()) for g in found.grads.values())
    assert sum(bool(g.any()) for g in found.grads.values()) >= 10
    assert same(fast.params, adapt(algorithm, meta, here).params)
    logits = here.problems[0].logits({**meta, **fast.params}, here.episodes[0].query)
    assert logits.shape == (6, 3)
    assert bool(logits.isfinite().all())
