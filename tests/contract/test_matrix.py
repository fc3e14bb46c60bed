"""Every value of every choice, and every pair of values that is not refused, on a BERT of two layers in float64.

The pairs stand in a covering array: of all combinations that `why_not` accepts, the one with the most pairs not yet
met is taken, until none is left.  New values join by being in their dicts; the array follows.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from metaglot.algorithms import GradientBased, why_not
from metaglot.choices import ESTIMATORS, HEADS, RULES, SCOPES
from metaglot.errors import MetaglotError
from metaglot.inner import Adjoint, Estimator, FiniteProduct, FirstOrder, Rule, Unrolled
from metaglot.models import Head, Scope
from metaglot.types import Params

STEPS = 3
LAST = ("encoder.layer.1.*",)
SCOPE_OPTIONS: Mapping[str, Any] = {
    "named": {"patterns": LAST},
    "all-but": {"patterns": ("embeddings.*", "pooler.*")},
    "lora": {"rank": 2},
    "context": {"size": 4},
}
HEAD_OPTIONS: Mapping[str, Any] = {"generated": {"hidden": 8}, "latent": {"size": 8}}
RULE_OPTIONS: Mapping[str, Any] = {
    "adam": {"eps": 1e-3},  # nearly zero gradients make it a step function otherwise
    "recurrent": {"hidden": 4},
    "meta-network": {"hidden": 4, "lr": 0.1},
}
OTHER: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "no step": {"steps": 0},
    "one step": {"steps": 1},
    "weights": {"weights": (0.2, 0.3, 1.0)},
    "warm-up": {"weights": (1.0, 1.0, 1.0), "annealed": 10, "warm_up": 2},
    "proximal": {"proximal": 0.5},
    "chunks": {"chunk": 2},
    "dropout": {"dropout": True},
}
FACTORS: tuple[tuple[str, ...], ...] = (tuple(SCOPES), tuple(HEADS), tuple(RULES), tuple(ESTIMATORS), tuple(OTHER))
NAMES = ("scope", "head", "rule", "estimator", "other")
STEP = 5  # episodes done, as options that change with them see it


class Combination(NamedTuple):
    """One value of each choice, by name."""

    scope: str = "lora"
    head: str = "prototypes"
    rule: str = "sgd"
    estimator: str = "unrolled"
    other: str = "plain"

    def make(self) -> GradientBased:
        made = GradientBased(
            scope_of(self.scope), head_of(self.head), rule_of(self.rule), STEPS, estimator_of(self.estimator)
        )
        return replace(made, **{"dropout": False, **OTHER[self.other]})

    def __str__(self) -> str:
        return ", ".join(self)


@cache
def scope_of(name: str) -> Scope:
    return SCOPES[name](**SCOPE_OPTIONS.get(name, {}))


@cache
def head_of(name: str) -> Head:
    return HEADS[name](**HEAD_OPTIONS.get(name, {}))


@cache
def rule_of(name: str) -> Rule:
    return RULES[name](**{"lr": 0.02, **RULE_OPTIONS.get(name, {})})


@cache
def estimator_of(name: str) -> Estimator:
    return Adjoint(product=FiniteProduct(1e-5)) if name == "finite-differences" else ESTIMATORS[name]()


EVERY = [Combination(*values) for values in product(*FACTORS)]
REASONS = {one: why_not(one.make()) for one in EVERY}
VALID = [one for one in EVERY if REASONS[one] is None]


def pairs_of(one: Combination) -> list[tuple[int, str, int, str]]:
    return [(i, one[i], j, one[j]) for i, j in combinations(range(len(one)), 2)]


def covering(valid: list[Combination]) -> list[Combination]:
    """Return combinations that hold every pair which any of them holds; greedy, the first of equals."""
    values = np.array([[FACTORS[i].index(value) for i, value in enumerate(one)] for one in valid])
    width = max(map(len, FACTORS))
    pairs = [values[:, i] * width + values[:, j] for i, j in combinations(range(len(FACTORS)), 2)]
    numbered = np.stack([width * width * place + pair for place, pair in enumerate(pairs)], axis=1)
    known, table = np.unique(numbered, return_inverse=True)
    table = table.reshape(numbered.shape)
    missing = np.ones(len(known), dtype=np.int64)
    chosen: list[Combination] = []
    while missing.any():
        best = int(missing[table].sum(1).argmax())
        chosen.append(valid[best])
        missing[table[best]] = 0
    return chosen


COVER = covering(VALID)


def alone() -> list[Combination]:
    """Each value in a combination that differs as little as can be from the plain one."""
    plain = Combination()
    found: dict[Combination, None] = {}
    for i, values in enumerate(FACTORS):
        for value in values:
            holding = [one for one in VALID if one[i] == value]
            nearest = min(holding, key=lambda one: sum(a != b for a, b in zip(one, plain, strict=True)))
            found[nearest] = None
    return list(found)


ALONE = alone()


def test_the_array_holds_every_value_and_every_pair():
    for i, values in enumerate(FACTORS):
        assert {one[i] for one in COVER} == {one[i] for one in ALONE} == set(values), NAMES[i]
    wanted = {pair for one in VALID for pair in pairs_of(one)}
    assert {pair for one in COVER for pair in pairs_of(one)} == wanted
    every = {pair for one in EVERY for pair in pairs_of(one)}
    print(f"{len(EVERY)} combinations, {len(VALID)} accepted; {len(wanted)} of {len(every)} pairs; {len(COVER)} to run")
    assert len(wanted) > 0.85 * len(every)
    assert len(COVER) < 150
    assert covering(VALID) == COVER


@pytest.fixture(scope="module")
def run(bert, problem, episode, tally) -> Callable[[Combination], None]:
    def check(one: Combination) -> None:
        algorithm = one.make()
        meta = started(algorithm.init(bert, [problem.task], seed=0))

        def gradient(made: GradientBased) -> Params:
            return made.meta_grad([problem], meta, [episode], step=STEP, seed=1).grads

        grads = gradient(algorithm)
        assert grads.keys() == meta.keys()
        for name, value in grads.items():
            assert value.shape == meta[name].shape, name
            assert value.dtype == meta[name].dtype, name
            assert bool(value.isfinite().all()), name
        # The first step from a head of zeros leaves the body where it is, and Reptile looks at nothing else.
        rests = (one.head, one.estimator, algorithm.steps) == ("zeros", "reptile", 1)
        assert any(bool(value.any()) for value in grads.values()) != rests
        tally["agreed"] += agrees(algorithm, grads, gradient)
        fast = algorithm.adapt(problem, meta, episode.support, seed=1)
        assert len(fast.trace) == algorithm.steps
        assert all(bool(value.isfinite().all()) for value in (*fast.params.values(), *fast.rule_state.values()))
        with torch.no_grad():
            logits = problem.logits({**meta, **fast.params}, episode.query)
        assert logits.shape == (6, 3)
        assert bool(logits.isfinite().all())
        tally["combinations"] += 1

    return check


def started(meta: Params) -> Params:
    """In float64, and away from zeros, which would hide derivatives."""
    rng = torch.Generator().manual_seed(0)
    return {
        n: v.double()
        + (0 if n.startswith("body.") else 0.03) * torch.randn(v.shape, generator=rng, dtype=torch.float64)
        for n, v in meta.items()
    }


def agrees(algorithm: GradientBased, grads: Params, gradient: Callable[[GradientBased], Params]) -> bool:
    """Check an exact estimator against unrolled; say whether there was something to compare."""
    estimator = algorithm.estimator
    finite = estimator.name == "finite-differences"
    if isinstance(estimator, Unrolled) or not (estimator.exact or finite):
        return False
    truth = gradient(replace(algorithm, estimator=Unrolled()))
    away = torch.cat([(grads[n] - truth[n]).flatten() for n in truth]).norm()
    size = torch.cat([v.flatten() for v in truth.values()]).norm()
    assert float(away / size) < (1e-3 if finite else 1e-6)
    return True


@pytest.mark.parametrize("one", ALONE, ids=str)
def test_every_value(run, one):
    run(one)


@pytest.mark.slow
@pytest.mark.parametrize("one", [one for one in COVER if one not in ALONE], ids=str)
def test_every_pair(run, one):
    run(one)


REFUSED = {reason: one for one, reason in REASONS.items() if reason is not None}


@pytest.mark.parametrize("one", REFUSED.values(), ids=str)
def test_what_is_refused_has_a_reason_that_names_a_way_out(bert, problem, tally, one):
    reason = REASONS[one]
    assert reason is not None
    with pytest.raises(MetaglotError) as error:
        one.make().init(bert, [problem.task], seed=0)
    assert str(error.value) == reason
    assert len(reason.split()) > 8
    assert any(word in reason for word in ("use ", "needs", "leave", "it needs")), reason
    tally["refused"] += 1


def test_first_order_is_told_from_exact(run, bert, problem, episode):
    """The comparison above can fail: an estimate that calls itself exact is found out."""
    algorithm = replace(Combination().make(), estimator=FirstOrder(exact=True))
    meta = started(algorithm.init(bert, [problem.task], seed=0))

    def gradient(made: GradientBased) -> Params:
        return made.meta_grad([problem], meta, [episode], step=STEP, seed=1).grads

    with pytest.raises(AssertionError):
        agrees(algorithm, gradient(algorithm), gradient)
