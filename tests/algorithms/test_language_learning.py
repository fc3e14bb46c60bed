"""Meta-learning a language modeller: support and query are passages of one domain, masked or causal."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
import torch
from tests.language import decoder, encoder, noise, passages, problem_of
from torch import Tensor

from metaglot.algorithms import GradientBased, build_algorithm
from metaglot.errors import MetaglotError
from metaglot.families.batches import concatenate
from metaglot.inner import Adjoint, InnerLoop, Sgd, Unrolled, first_order, gradients, reptile
from metaglot.inner.loop import body_waits
from metaglot.models import All, BiasNorm, HeadOnly, HfLearner, Lora, Scope, Zeros
from metaglot.models.rows import touched
from metaglot.training.need import EpisodeSize, measured
from metaglot.types import Batch, Budget, Episode, Params, Problem

TARGETS = {"bert": ("query", "value"), "albert": ("query", "value"), "gpt2": ("c_attn",)}
PLAIN = GradientBased(All(), Zeros(), Sgd(lr=0.1), 2, Unrolled(), dropout=False)
SCOPES: Mapping[str, Callable[[str], Scope]] = {
    "all": lambda _: All(),
    "head": lambda _: HeadOnly(),
    "lora": lambda name: Lora(rank=2, targets=TARGETS[name]),
    "bias-norm": lambda _: BiasNorm(),
}


@pytest.fixture(scope="module", params=["bert", "albert", "gpt2"])
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def learner(name) -> HfLearner:
    return decoder() if name == "gpt2" else encoder(name)


@pytest.fixture(scope="module")
def domain(learner) -> Episode:
    return passages(learner)


@pytest.fixture(scope="module")
def modelling(learner, domain) -> Problem:
    return problem_of(learner, domain)


def started(algorithm, problem: Problem) -> dict[str, Tensor]:
    found = {n: v.double() for n, v in algorithm.init(problem.learner, [problem.task], seed=0).items()}
    own = noise({n: v for n, v in found.items() if n.startswith("algorithm.")})
    return {**found, **own}


def judged(algorithm, problem: Problem, meta: Params, episode: Episode):
    return algorithm.meta_grad([problem], meta, [episode], step=0, seed=0)


EXACT = {"unrolled": Unrolled(), "adjoint": Adjoint(), "mixed": Adjoint(keep=1)}


def marked(scope: str, estimator: str):
    """Quick are each scope unrolled, and the mixed estimator, which is unrolled and adjoint, where all moves."""
    quick = estimator == "unrolled" or (estimator, scope) == ("mixed", "all")
    return pytest.param(scope, EXACT[estimator], marks=[] if quick else pytest.mark.slow, id=f"{scope}-{estimator}")


@pytest.mark.parametrize(("scope", "estimator"), [marked(s, e) for s in SCOPES for e in EXACT])
def test_exact_gradients_are_those_of_finite_differences(name, modelling, domain, scope, estimator):
    algorithm = replace(PLAIN, scope=SCOPES[scope](name), estimator=estimator)
    meta = started(algorithm, modelling)
    grads = judged(algorithm, modelling, meta, domain).grads
    parts = ["body."] if scope != "lora" else ["body.", "algorithm.lora."]
    parts += ["lm."] if name != "gpt2" else []
    for part in parts:
        rng = torch.Generator().manual_seed(len(part))
        along = {
            n: torch.randn(v.shape, generator=rng, dtype=torch.float64) * n.startswith(part) for n, v in meta.items()
        }
        size, h = torch.stack([v.norm() for v in along.values()]).norm(), 1e-3

        def loss(by: float, along: Params = along, size: Tensor = size) -> float:
            at = {n: v + by * along[n] / size for n, v in meta.items()}
            return float(judged(algorithm, modelling, at, domain).records[0]["loss"])

        slope = (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h)
        found = float(sum((grads[n] * along[n]).sum() for n in meta) / size)
        assert abs(found) > 1e-4, part
        assert abs(slope - found) <= 1e-6 * abs(found), part


@pytest.mark.parametrize("scope", SCOPES)
def test_what_moves_and_what_adapting_gives(name, modelling, domain, scope):
    algorithm = replace(PLAIN, scope=SCOPES[scope](name))
    meta = started(algorithm, modelling)
    fast = algorithm.adapt(modelling, meta, domain.support, seed=0)
    own = {n for n in meta if n.startswith("lm.")}
    assert bool(own) == (name != "gpt2")
    expected = {
        "all": {n for n in meta if n.startswith("body.")} | own,
        "head": own or {"lm.weight"},
        "lora": {n.removeprefix("algorithm.") for n in meta if n.startswith("algorithm.lora.")},
        "bias-norm": {n for n in meta if n.startswith(("body.", "lm.")) and meta[n].ndim == 1},
    }[scope]
    assert set(fast.params) == expected
    assert not any(n.startswith("head.") for n in fast.params)
    after = modelling.logits({**meta, **fast.params}, domain.query)
    assert after.shape == (int((domain.query["labels"] != -100).sum()), 48)
    record = judged(algorithm, modelling, meta, domain).records[0]
    assert record["loss"] == pytest.approx(float(modelling.objective.loss(after, domain.query)), rel=1e-10)
    assert record["perplexity"] == pytest.approx(torch.tensor(record["loss"]).exp())
    assert record["ways"] == 0
    longer = algorithm.adapt(modelling, meta, domain.support, seed=0, budget=Budget(steps=25))
    assert longer.trace[-1].loss < longer.trace[0].loss - 0.05
    assert algorithm.adapt(modelling, meta, domain.support, seed=0, budget=Budget(steps=0)).trace == ()


def test_one_step_by_hand(name, learner, modelling, domain):
    meta = {**learner.body(), **learner.language_head()}
    leaves = {n: v.clone().requires_grad_() for n, v in meta.items()}
    grads = gradients(modelling.loss(leaves, domain.support), leaves)
    moved = {n: (v - 0.1 * grads[n]).detach().requires_grad_() for n, v in meta.items()}
    outer = gradients(modelling.loss(moved, domain.query), moved)
    first = judged(replace(PLAIN, estimator=first_order, steps=1), modelling, meta, domain).grads
    assert first.keys() == meta.keys()
    for n, value in first.items():
        assert torch.allclose(value, outer[n], rtol=1e-9, atol=1e-12), n
    both = concatenate(domain.support, domain.query)
    towards = gradients(modelling.loss(leaves, both), leaves)
    back = judged(replace(PLAIN, estimator=reptile, steps=1), modelling, meta, domain).grads
    assert any(bool(v.any()) for n, v in back.items() if n.startswith("lm.")) == (name != "gpt2")
    for n, value in back.items():
        assert torch.allclose(value, 0.1 * towards[n], rtol=1e-9, atol=1e-12), n


def test_every_row_of_the_embedding_is_touched(learner, modelling, domain):
    """With a tied head the scores of all tokens read it: rows that no text names must not be left out."""
    meta = {**learner.body(), **learner.language_head()}
    small = touched(modelling, meta, domain)
    assert small.meta is meta
    assert small.episode is domain
    whole, _ = Unrolled()(PLAIN.inner_of(modelling), modelling, meta, domain, None)
    found = judged(PLAIN, modelling, meta, domain).grads
    assert all(torch.equal(found[n], whole[n]) for n in whole)
    seen = torch.cat([part["input_ids"].flatten() for part in (domain.support, domain.query)]).unique()
    idle = torch.ones(48, dtype=torch.bool)
    idle[seen] = False
    assert int(idle.sum()) > 0
    assert bool(found[f"body.{learner.embedding.name}"][idle].any(1).all())


def test_the_body_never_waits_for_a_head_of_zeros(modelling, domain):
    """Whatever stands as `head.*` is not what scores the task."""
    zeros = {"head.weight": torch.zeros(2, 16), "head.bias": torch.zeros(2)}
    assert not body_waits(modelling, zeros)
    loop = InnerLoop(Sgd(), 1)
    _, grads = loop.gradient(
        modelling,
        {},
        {n: v.clone().requires_grad_() for n, v in modelling.learner.body().items()},
        domain.support,
        seed=None,
        create_graph=False,
    )
    assert sum(bool(v.any()) for v in grads.values()) > 10


class Counted(HfLearner):
    """A learner that remembers how many passages each pass had."""

    def forward(self, params, batch: Batch, *, seed=None, logits=False):
        self.__dict__.setdefault("passes", []).append(len(batch["input_ids"]))
        return super().forward(params, batch, seed=seed, logits=logits)


@pytest.mark.parametrize("dropout", [False, True], ids=["plain", "dropout"])
@pytest.mark.parametrize("estimator", [Unrolled(), Adjoint(), first_order], ids=lambda e: e.name)
def test_the_body_runs_once_where_only_the_head_moves(learner, domain, estimator, dropout):
    counted = Counted(learner.module, decoder=learner.decoder, language=learner.language)
    problem = problem_of(counted, domain)
    algorithm = replace(PLAIN, scope=HeadOnly(), estimator=estimator, steps=5, dropout=dropout)
    meta = started(algorithm, problem)
    algorithm.meta_grad([problem], meta, [domain], step=0, seed=1)
    assert counted.passes == [3, 3]


def test_the_remembered_features_give_the_same_steps(learner, modelling, domain):
    meta = {**learner.body(), **learner.language_head()}
    start = learner.scoring(meta)
    loop = InnerLoop(Sgd(lr=0.5), 3)
    seen = modelling.remembered(meta, domain.support)
    a, b = (loop.run(modelling, meta, start, s, seed=None, create_graph=False) for s in (domain.support, seen))
    for n, value in a.params.items():
        assert torch.allclose(value, b.params[n], rtol=1e-9, atol=1e-12)
        assert not torch.equal(value, start[n])


@pytest.mark.parametrize(
    "named",
    ["maml", "fomaml", "anil", "meta-sgd", "maml++", "meta-curvature", "reml", "reptile", "imaml", "leopard", "boil"],
)
def test_named_algorithms_learn_language(name, modelling, domain, named):
    options = {"scope": {"lora": {"targets": list(TARGETS[name])}}} if named == "reml" else {}
    algorithm = build_algorithm(named, options)
    meta = started(algorithm, modelling)
    found = judged(algorithm, modelling, meta, domain)
    assert set(found.grads) == set(meta)
    assert all(bool(v.isfinite().all()) for v in found.grads.values())
    assert any(bool(v.any()) for n, v in found.grads.items() if n.startswith("body."))
    fast = algorithm.adapt(modelling, meta, domain.support, seed=0)
    assert fast.params
    assert not any(n.startswith("head.") for n in fast.params)


@pytest.mark.parametrize("named", ["protonet", "matchingnet", "r2d2"])
def test_without_steps_nothing_is_learnt_and_that_is_told(modelling, domain, named):
    algorithm = build_algorithm(named)
    meta = started(algorithm, modelling)
    with pytest.raises(MetaglotError, match=r"domain-lm/one: without inner steps.*fomaml"):
        judged(algorithm, modelling, meta, domain)
    fast = algorithm.adapt(modelling, meta, domain.support, seed=0)
    before, after = (modelling.logits({**meta, **params}, domain.query) for params in ({}, fast.params))
    assert torch.equal(before, after)


@pytest.mark.parametrize("named", ["maml", "protomaml", "boil"])
def test_the_memory_of_a_language_modelling_episode_is_measured(learner, domain, named):
    least, most = (measured(build_algorithm(named), learner, domain, EpisodeSize(n, n, 16)) for n in (4, 16))
    assert 0 < least.step < most.step
    assert 0 < least.query < most.query


@pytest.mark.parametrize("estimator", [Unrolled(), Adjoint(), first_order], ids=lambda e: e.name)
def test_fused_attention_will_do_where_only_the_head_moves(name, estimator):
    """Second derivatives are of the head alone, so the loader need not ask for eager attention."""
    fused, eager = (
        decoder(attention=kind) if name == "gpt2" else encoder(name, attention=kind) for kind in ("sdpa", "eager")
    )
    assert fused.module.config._attn_implementation == "sdpa"
    episode = passages(fused)
    algorithm = replace(PLAIN, scope=HeadOnly(), estimator=estimator)
    assert not algorithm.second_order
    meta = started(algorithm, problem_of(eager, episode))
    a, b = (judged(algorithm, problem_of(one, episode), meta, episode).grads for one in (fused, eager))
    assert all(torch.allclose(a[n], b[n], rtol=1e-6, atol=1e-9) for n in meta)
