"""The contract that every algorithm keeps, over every head and scope that it accepts.

An algorithm joins by being in `ALGORITHMS`.
"""

import inspect
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from tests.contract.cases import (
    CASES,
    EVERY,
    MARKED,
    UNMOVED,
    Case,
    Untouched,
    World,
    adapt,
    judge,
    quick,
    same,
    start,
)

from metaglot.choices import ALGORITHMS
from metaglot.errors import MetaglotError
from metaglot.models.heads import head_size
from metaglot.seeds import generator
from metaglot.tasks import Shape, draw_episode, sources_of
from metaglot.types import Batch, Budget, Fast, MetaGrad, Params, Problem


def test_every_algorithm_is_here():
    assert {case.name for case in CASES} == set(ALGORITHMS)
    assert len(CASES) >= 29
    assert len(EVERY) - len(CASES) == 19


@pytest.mark.parametrize("case", [case for case in EVERY if case not in CASES], ids=str)
def test_what_is_refused_says_why(case, here):
    with pytest.raises(MetaglotError, match=r"Reptile moves the start|the meta-network|head_lr=0 keeps"):
        case.make().init(here.problems[0].learner, here.infos, seed=0)


@pytest.fixture(params=MARKED, scope="module")
def case(request) -> Case:
    return request.param


@pytest.fixture(scope="module")
def found(case, here) -> MetaGrad:
    """What meta-training gives the case: computed once, for every test that reads it."""
    algorithm, meta = start(case, here)
    watch = Untouched(meta, here, seed=12)
    given = judge(algorithm, meta, here)
    watch.check()
    return given


@pytest.fixture(scope="module")
def fast(case, here) -> Fast:
    """What adapting gives the case, likewise."""
    torch.manual_seed(12)  # other than where `Untouched` starts
    return adapt(*start(case, here), here)


@pytest.fixture(scope="module")
def one(here) -> World:
    """The first task alone, where two show no more than one."""
    return here._replace(problems=here.problems[:1], episodes=here.episodes[:1])


def test_the_meta_gradient_is_pure_and_deterministic(case, here, found):
    """From parameters that need no gradient, which `found` watches, and from those that do: the same bits."""
    algorithm, meta = start(case, here)
    meta = {n: v.clone().requires_grad_() for n, v in meta.items()}
    watch = Untouched(meta, here)
    again = judge(algorithm, meta, here)
    watch.check()
    assert same(found.grads, again.grads)
    assert found.records == again.records


def test_dropout_follows_seed_and_step(case, one):
    algorithm, meta = start(case, one)
    first = judge(algorithm, meta, one).grads
    assert not same(first, judge(algorithm, meta, one, seed=2).grads)
    assert not same(first, judge(algorithm, meta, one, step=6).grads)
    known = inspect.signature(ALGORITHMS[case.name]).parameters
    fixed = {n: v for n, v in {"annealed": 0, "batch_size": None}.items() if n in known}
    algorithm, meta = start(case, one, dropout=False, **fixed)
    assert same(judge(algorithm, meta, one).grads, judge(algorithm, meta, one, seed=2, step=6).grads)


def test_the_meta_gradient_has_every_name_and_shape_and_is_finite(case, here, found):
    _, meta = start(case, here)
    assert set(found.grads) == set(meta)
    for name, grad in found.grads.items():
        assert grad.shape == meta[name].shape, name
        assert grad.dtype == meta[name].dtype, name
        assert bool(grad.isfinite().all()), name
        assert not grad.requires_grad
    assert len(found.records) == len(here.episodes)
    for record, problem in zip(found.records, here.problems, strict=True):
        assert record["task"] == problem.task.name
        assert record["ways"] == len(problem.task.labels)
        assert isinstance(record["loss"], float)
        assert 0 <= record["accuracy"] <= 1


def test_what_is_unused_gets_zeros(case, here, found):
    grads = found.grads
    batches = [part for e in here.episodes for part in (e.support, e.query)]
    seen = torch.cat([b["input_ids"][b["attention_mask"].bool()] for b in batches]).unique()
    longest = max(int(b["attention_mask"].sum(1).max()) for b in batches)
    rows = torch.ones(len(grads["body.embeddings.word_embeddings.weight"]), dtype=torch.bool)
    rows[seen] = False
    assert int(rows.sum()) > 0
    assert not grads["body.embeddings.word_embeddings.weight"][rows].any()
    assert not grads["body.embeddings.position_embeddings.weight"][longest:].any()
    assert not grads["body.embeddings.token_type_embeddings.weight"][1].any()
    pooler = [n for n in grads if n.startswith("body.pooler.")]
    assert len(pooler) == 2
    assert not any(bool(grads[n].any()) for n in pooler)
    assert sum(bool(v.any()) for v in grads.values()) >= 4, "what is used gets something"
    classes = {c for e in here.episodes for c in e.task.classes}
    for name in (n for n in grads if n.startswith("heads.")):
        idle = [c for c in range(len(grads[name])) if c not in classes]
        against_all = case.name in {"cotrained", "joint", "transfer"}  # which tell a class from all others of the set
        assert bool(grads[name][idle].any()) == (against_all and bool(idle))
        assert bool(grads[name].any())


FIXED = {"joint": "all", "transfer": "all", "cavia": "context", "warpgrad": "warp"}
FIXED |= dict.fromkeys(("anil", "protonet", "cotrained", "matchingnet", "r2d2", "metaoptnet", "leo"), "head")


def moves(case: Case) -> Callable[[str], bool]:
    """Whether the case's inner loop may move a parameter."""
    scope = FIXED.get(case.name, case.scope) or ""
    if scope == "warp":
        return lambda name: name.startswith("head.") or ".query." in name or ".value." in name
    prefixes = {
        "all": "body.",
        "head": "head.",
        "named": "body.encoder.layer.1.",
        "lora": "lora.",
        "context": "context.",
    }
    return lambda name: name.startswith((prefixes[scope], "head."))


def test_adapting_is_pure_deterministic_and_keeps_no_graph(case, here, fast):
    algorithm, meta = start(case, here)
    watch = Untouched(meta, here)
    again = adapt(algorithm, meta, here)
    watch.check()
    assert same(fast.params, again.params)
    assert same(fast.rule_state, again.rule_state)
    assert fast.trace == again.trace
    for value in (*fast.params.values(), *fast.rule_state.values()):
        assert value.grad_fn is None
        assert not value.requires_grad
        assert bool(value.isfinite().all())
    assert head_size(fast.params) == (3, 16)
    assert ("head.weight" in fast.params) == (case.name not in UNMOVED)
    may = moves(case)
    assert all(may(name) for name in fast.params), "only the scope and the head move"
    starts = {**meta, **{n.removeprefix("algorithm."): v for n, v in meta.items() if n.startswith("algorithm.lora.")}}
    starts |= {"context.code": torch.zeros(32)}
    for name, value in fast.params.items():
        assert name.startswith("head.") or value.shape == starts[name].shape
    if fast.trace:
        moved = [n for n, v in fast.params.items() if n in starts and not torch.equal(v, starts[n])]
        # A zero head, or a B of zeros, holds the gradient of what lies before it back at the first step only.
        assert bool(moved) == any(not n.startswith("head.") for n in fast.params)


def test_the_budget_bounds_an_adaptation(case, here):
    algorithm, meta = start(case, here)
    none = adapt(algorithm, meta, here, budget=Budget(steps=0))
    assert none.trace == ()
    assert all(n.startswith(("head.", "lora.", "context.")) for n in none.params)
    assert any(n.startswith("lora.") for n in none.params) == (case.scope == "lora")
    assert any(n.startswith("context.") for n in none.params) == (case.name == "cavia")
    if case.name in UNMOVED:
        with pytest.raises(MetaglotError, match="no layer for 3 inner steps to move"):
            adapt(algorithm, meta, here, budget=Budget(steps=3))
        return
    three = adapt(algorithm, meta, here, budget=Budget(steps=3, batch_size=2))
    assert [t.step for t in three.trace] == [0, 1, 2]


NOT_JUDGED_SO = {"joint", "transfer", "reptile", "sequential-reptile"}  # they train on support and query together
JUDGED = [(case, None) for case in CASES if case.name not in NOT_JUDGED_SO]
JUDGED += [(case, 0) for case, _ in JUDGED if case.head == "prototypes" and case.name != "imaml"]


@pytest.mark.parametrize(
    ("case", "steps"),
    [pytest.param(*one, marks=[] if quick(one[0]) else pytest.mark.slow, id=f"{one[0]}-{one[1]}") for one in JUDGED],
)
def test_meta_training_judges_what_adapting_gives(case, here, steps):
    algorithm, meta = start(case, here, dropout=False, **({} if steps is None else {"steps": steps}))
    meta = {n: v + 0.2 if n.startswith("algorithm.lora.") else v for n, v in meta.items()}
    for problem, episode, record in zip(
        here.problems, here.episodes, judge(algorithm, meta, here).records, strict=True
    ):
        fast = algorithm.adapt(problem, meta, episode.support, seed=0)
        metrics = problem.objective.metrics(problem.logits({**meta, **fast.params}, episode.query), episode.query)
        assert record["loss"] == pytest.approx(metrics["loss"], rel=1e-10)
        assert record["accuracy"] == metrics["accuracy"]


def test_the_order_of_minibatches_follows_the_seed_without_dropout_too(case, here):
    if case.name in UNMOVED:
        return  # it takes no step, as the test of the budget shows
    algorithm, meta = start(case, here, dropout=False)
    budget = Budget(steps=2, batch_size=2)
    seeds = [adapt(algorithm, meta, here, budget=budget, seed=seed).params for seed in (1, 1, 2)]
    assert same(seeds[0], seeds[1])
    assert not same(seeds[0], seeds[2])


SMALL_RATES = {"anil": 1.0, "cavia": 0.1}  # rates at which the loss falls at each step


@pytest.fixture(scope="module")
def separable(make_toy, family, bert) -> tuple[Problem, Batch]:
    """Three classes without a word in common."""
    (source,) = sources_of(make_toy(name="separable", share=1.0))
    episode = draw_episode(source, family, Shape((3, 3), (4, 4), 1), generator(0, "separable"))
    return Problem(bert, family, episode.task), episode.support


def test_adapting_learns_a_separable_support_set(case, here, separable):
    problem, support = separable
    algorithm, meta = start(case, here, few=False, dropout=False)
    rule = getattr(algorithm, "rule", None)
    if getattr(rule, "lr", 0.0) is None:  # Polyak's steps are long and may overshoot; `test_defaults.py` is of these
        algorithm = replace(algorithm, rule=replace(rule, lr=SMALL_RATES.get(case.name, 1e-2)))

    def judged(params: Params) -> tuple[float, float]:
        metrics = problem.objective.metrics(problem.logits({**meta, **params}, support), support)
        return metrics["loss"], metrics["accuracy"]

    fast = algorithm.adapt(problem, meta, support, seed=0)
    loss, accuracy = judged(fast.params)
    assert accuracy >= 0.9
    if not fast.trace:
        assert loss < 0.9 * torch.tensor(3.0).log()
        return
    before, _ = judged(algorithm.adapt(problem, meta, support, seed=0, budget=Budget(steps=0)).params)
    assert fast.trace[0].loss == pytest.approx(before, rel=1e-9)
    assert loss < before
    budget = Budget(steps=min(3 * len(fast.trace), len(fast.trace) + 5))
    longer, _ = judged(algorithm.adapt(problem, meta, support, seed=0, budget=budget).params)
    assert longer < loss
