"""Every exact estimator gives the same gradient on a BERT in float64; the others by their definition."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from metaglot.algorithms import GradientBased
from metaglot.errors import MetaglotError
from metaglot.inner import (
    Adam,
    Adjoint,
    Curvature,
    Estimator,
    FiniteProduct,
    LayerRates,
    MetaSgd,
    Momentum,
    Recurrent,
    Rule,
    Sgd,
    Unrolled,
    first_order,
)
from metaglot.inner.loop import body_waits
from metaglot.models import All, Head, HeadOnly, HfLearner, Lora, Named, Prototypes, Scope, Zeros
from metaglot.types import Episode, Params, Problem

SCOPES: Mapping[str, Scope] = {
    "all": All(),
    "head": HeadOnly(),
    "named": Named(("encoder.layer.1.*",)),
    "lora": Lora(rank=2),
}
RULES: Mapping[str, Rule] = {
    "sgd": Sgd(lr=0.3),
    "clipped": Sgd(lr=0.3, clip=0.5),
    "adam": Adam(lr=0.02),
    "momentum": Momentum(lr=0.1),
    "meta-sgd": MetaSgd(lr=0.3),
    "layer-rates": LayerRates(lr=0.3, per_step=True),
    "curvature": Curvature(lr=0.3),
    "recurrent": Recurrent(lr=0.3, hidden=4),
}
HEADS: Mapping[str, Head] = {"zeros": Zeros(), "prototypes": Prototypes()}
EXACT: Mapping[str, Estimator] = {
    "adjoint": Adjoint(),
    "mixed": Adjoint(keep=2),
    "all kept": Adjoint(keep=9),
    "one stored": Adjoint(stored=1),
    "two stored": Adjoint(stored=2),
}
PLAIN = GradientBased(All(), Prototypes(), Sgd(lr=0.03), 4, Unrolled(), dropout=False)


@pytest.fixture(scope="module")
def gradient(bert, problem, episode) -> Callable[..., Params]:
    """A function (algorithm, step=) -> its gradient, which is computed once for all tests."""

    @cache
    def of(algorithm: GradientBased, *, step: int = 0) -> Params:
        return gradient_of(algorithm, bert, problem, episode, step)

    return of


def gradient_of(algorithm: GradientBased, bert: HfLearner, problem: Problem, episode: Episode, step: int = 0) -> Params:
    meta = {n: v.double() for n, v in algorithm.init(bert, [problem.task], seed=0).items()}
    return algorithm.meta_grad([problem], meta, [episode], step=step, seed=1).grads


def gap(found: Params, truth: Params) -> float:
    assert found.keys() == truth.keys()
    return norm({n: found[n] - truth[n] for n in truth}) / norm(truth)


def norm(values: Params) -> float:
    return float(torch.cat([v.flatten() for v in values.values()]).norm())


def marked(rule: str, scope: str, head: str):
    """Quick are each rule over the whole body from prototypes, and each scope and head with the plainest rule."""
    quick = rule == "sgd" or (scope, head) == ("all", "prototypes")
    return pytest.param(rule, scope, head, marks=[] if quick else pytest.mark.slow)


@pytest.mark.parametrize(("rule", "scope", "head"), [marked(*one) for one in itertools.product(RULES, SCOPES, HEADS)])
def test_the_adjoint_is_the_unrolled_gradient(gradient, rule, scope, head):
    algorithm = replace(PLAIN, scope=SCOPES[scope], head=HEADS[head], rule=RULES[rule])
    assert gap(gradient(replace(algorithm, estimator=Adjoint())), gradient(algorithm)) < 1e-10


OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "dropout": {"dropout": True},
    "weights": {"weights": (0.1, 0.0, 0.3, 1.0)},
    "chunks": {"chunk": 2},
    "one step": {"steps": 1},
    "no step": {"steps": 0},
}


def quick(option: str, name: str) -> Any:
    """Quick are each estimator with the plainest option, and each option with two estimators of unlike ways."""
    marks = [] if option in ("plain", "sgd") or name in ("unrolled", "adjoint", "one stored") else pytest.mark.slow
    return pytest.param(option, name, marks=marks)


@pytest.mark.parametrize(("option", "name"), [quick(*one) for one in itertools.product(OPTIONS, EXACT)])
def test_every_exact_estimator_agrees(gradient, option, name):
    algorithm = replace(PLAIN, rule=Adam(lr=0.02), **OPTIONS[option])
    truth = gradient(algorithm)
    assert norm(truth) > 1e-3
    assert gap(gradient(replace(algorithm, estimator=EXACT[name])), truth) < 1e-10


def test_chunks_do_not_change_the_gradient(gradient):
    assert gap(gradient(replace(PLAIN, chunk=2)), gradient(PLAIN)) < 1e-10


def test_the_weights_move_to_the_last_step(gradient):
    multi = replace(PLAIN, weights=(1.0, 1.0, 1.0, 1.0), annealed=10)
    assert gap(gradient(multi, step=10), gradient(PLAIN)) < 1e-12
    assert gap(gradient(multi, step=0), gradient(replace(multi, annealed=0))) < 1e-12
    half = gradient(multi, step=5)
    assert (
        gap(half, {n: (v + w) / 2 for (n, v), w in zip(gradient(PLAIN).items(), gradient(multi).values(), strict=True)})
        < 1e-10
    )


def test_first_order_warm_up(gradient):
    warm = replace(PLAIN, warm_up=3)
    assert gap(gradient(warm, step=2), gradient(replace(PLAIN, estimator=first_order))) < 1e-12
    assert gap(gradient(warm, step=3), gradient(PLAIN)) < 1e-12


def test_finite_differences_approach_the_gradient_and_check_themselves(gradient):
    truth = gradient(PLAIN)
    errors = [gap(gradient(replace(PLAIN, estimator=Adjoint(product=FiniteProduct(e)))), truth) for e in (1e-3, 1e-4)]
    assert errors[0] < 1e-2
    assert errors[1] < errors[0] / 30, "second order in the step"
    with pytest.raises(MetaglotError, match="finite differences disagree"):
        gradient(replace(PLAIN, estimator=Adjoint(product=FiniteProduct(2.0, tolerance=1e-3))))


def test_the_adjoint_follows_a_finite_difference(bert, problem, episode, gradient):
    """A direct check, in case unrolled and adjoint were wrong together."""
    algorithm = replace(PLAIN, estimator=Adjoint())
    meta = {n: v.double() for n, v in algorithm.init(bert, [problem.task], seed=0).items()}
    rng = torch.Generator().manual_seed(3)
    toward = {n: torch.randn(v.shape, generator=rng, dtype=v.dtype) for n, v in meta.items()}

    def judged(sign: float) -> Tensor:
        moved = {n: v + sign * 1e-6 * toward[n] for n, v in meta.items()}
        fast = algorithm.adapt(problem, moved, episode.support, seed=1)
        with torch.no_grad():
            return problem.loss({**moved, **fast.params}, episode.query)

    slope = float(judged(1.0) - judged(-1.0)) / 2e-6
    grads = gradient(algorithm)
    found = float(sum((grads[n] * toward[n]).sum() for n in grads))
    assert found == pytest.approx(slope, rel=1e-6)


class Counted(HfLearner):
    """A learner that remembers how many texts each pass had."""

    def forward(self, params, batch, *, seed=None, logits=False):
        self.__dict__.setdefault("passes", []).append(len(batch["input_ids"]))
        return super().forward(params, batch, seed=seed, logits=logits)


@pytest.mark.parametrize("dropout", [False, True], ids=["plain", "dropout"])
@pytest.mark.parametrize("estimator", [Unrolled(), Adjoint(), first_order], ids=lambda e: e.name)
def test_the_body_runs_once_where_only_the_head_moves(bert, episode, estimator, dropout):
    learner = Counted(bert.module)
    problem = Problem(learner, episode.objective, episode.task)
    algorithm = replace(PLAIN, scope=HeadOnly(), estimator=estimator, steps=7, dropout=dropout)
    meta = algorithm.init(learner, [episode.task], seed=0)
    algorithm.meta_grad([problem], meta, [episode], step=0, seed=1)
    support, query = len(episode.support["labels"]), len(episode.query["labels"])
    assert learner.passes == [support, query]
    learner.passes.clear()
    algorithm.adapt(problem, meta, episode.support, seed=1)
    assert learner.passes == [support]


def test_a_resting_body_gives_the_gradient_of_running_it_each_step(bert, problem, episode):
    """Against plain autograd that runs the body at every step."""
    algorithm = replace(PLAIN, scope=HeadOnly(), steps=3)
    meta = {n: v.double().requires_grad_() for n, v in algorithm.init(bert, [problem.task], seed=0).items()}
    head = algorithm.head.start(problem, meta, episode.support)
    head = {n: v if v.requires_grad else v.requires_grad_() for n, v in head.items()}
    for _ in range(3):
        loss = problem.loss({**meta, **head}, episode.support)
        slopes = torch.autograd.grad(loss, list(head.values()), create_graph=True)
        head = {n: v - 0.03 * g for (n, v), g in zip(head.items(), slopes, strict=True)}
    loss = problem.loss({**meta, **head}, episode.query)
    truth = torch.autograd.grad(loss, list(meta.values()), allow_unused=True)
    found = algorithm.meta_grad([problem], meta, [episode], step=0, seed=1).grads
    expected = {n: torch.zeros_like(v) if g is None else g for (n, v), g in zip(meta.items(), truth, strict=True)}
    assert gap(found, expected) < 1e-10


FROM_ZEROS: Mapping[str, Mapping[str, Any]] = {
    "sgd": {},
    "adam": {"rule": Adam(lr=0.02)},
    "chunks": {"chunk": 2},
    "weights": {"weights": (1.0, 0.0, 0.5, 1.0)},
}


@pytest.fixture(scope="module")
def whole(bert, problem, episode) -> Callable[[GradientBased], Params]:
    """A function from an algorithm to its gradient, computed once and without leaving anything out."""

    @cache
    def of(algorithm: GradientBased) -> Params:
        with pytest.MonkeyPatch.context() as patch:
            for module in ("metaglot.inner.loop", "metaglot.inner.estimators.adjoint"):
                patch.setattr(f"{module}.body_waits", lambda *_: False)
            return gradient_of(algorithm, bert, problem, episode)

    return of


@pytest.mark.parametrize(
    ("option", "name"), [quick(*one) for one in itertools.product(FROM_ZEROS, ["unrolled", *EXACT])]
)
def test_the_first_step_from_a_zero_head_needs_no_gradient_of_the_body(gradient, whole, option, name):
    """Leaving it out equals computing it."""
    algorithm = replace(PLAIN, head=Zeros(), **FROM_ZEROS[option])
    estimator = {"unrolled": Unrolled(), **EXACT}[name]
    assert gap(gradient(replace(algorithm, estimator=estimator)), whole(algorithm)) < 1e-10


def test_a_body_waits_only_for_a_constant_zero(problem):
    zero = torch.zeros(3, 4)
    assert body_waits(problem, {"head.weight": zero})
    assert not body_waits(problem, {"head.weight": zero.clone().requires_grad_()})
    assert not body_waits(problem, {"head.weight": torch.eye(3, 4)})
    assert not body_waits(problem, {"head.code": zero})
