"""Exact meta-gradients on a real BERT in float32 and under bf16 autocast, and inner loops whose memory stays."""

import gc
import weakref
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from metaglot.algorithms import GradientBased
from metaglot.families.classification import Classification
from metaglot.inner import Adam, Adjoint, Estimator, FirstOrder, Rule, Sgd, Unrolled
from metaglot.models import All, Prototypes, Runtime, Zeros, load_backbone
from metaglot.types import Batch, Episode, Params, Problem, TaskInfo

TEXTS = {
    "support": ("where is my parcel", "it has not arrived yet", "my card was charged twice", "I want a refund"),
    "query": ("the delivery is late", "please pay me back"),
}
INFO = TaskInfo("tickets", "tickets", ("delivery", "money"), (0, 1))
PLAIN = GradientBased(All(), Prototypes(), Sgd(lr=0.02), 3, Unrolled(), dropout=False)
EXACT: dict[str, Estimator] = {
    "adjoint": Adjoint(),
    "mixed": Adjoint(keep=2),
    "one stored": Adjoint(stored=1),
}


@pytest.fixture(scope="module")
def backbone():
    return load_backbone("builtin:tiny", Runtime("fp32", "eager", "cpu", second_order=True))


@pytest.fixture(scope="module")
def world(backbone):
    def batch(texts) -> Batch:
        encoded = backbone.tokenizer(list(texts), padding=True, return_tensors="pt")
        labels = torch.arange(2).repeat_interleave(len(texts) // 2)
        return {**{n: encoded[n] for n in ("input_ids", "attention_mask")}, "labels": labels}

    family = Classification()
    episode = Episode(INFO, family, batch(TEXTS["support"]), batch(TEXTS["query"]))
    return Problem(backbone.learner, family, INFO), episode


def gradient(algorithm: GradientBased, world, **changes) -> Params:
    problem, episode = world
    problem = replace(problem, learner=replace(problem.learner, **changes))
    meta = algorithm.init(problem.learner, [INFO], seed=0)
    return algorithm.meta_grad([problem], meta, [episode], step=0, seed=1).grads


def flat(values: Params) -> torch.Tensor:
    return torch.cat([v.flatten().double() for v in values.values()])


def gap(found: Params, truth: Params) -> float:
    assert found.keys() == truth.keys()
    return float((flat(found) - flat(truth)).norm() / flat(truth).norm())


@pytest.mark.slow
@pytest.mark.parametrize("rule", [Sgd(lr=0.02), Adam(lr=1e-3, eps=1e-3)], ids=["sgd", "adam"])
def test_exact_estimators_agree_in_float32(world, rule: Rule):
    algorithm = replace(PLAIN, rule=rule)
    truth = gradient(algorithm, world)
    assert float(flat(truth).norm()) > 1e-3
    for name, estimator in EXACT.items():
        assert gap(gradient(replace(algorithm, estimator=estimator), world), truth) < 1e-4, name
    assert gap(gradient(algorithm, world, checkpointing=True), truth) < 1e-4
    assert gap(gradient(replace(algorithm, estimator=FirstOrder()), world), truth) > 1e-2, "the test can tell"


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [Unrolled(), Adjoint()], ids=lambda e: e.name)
def test_exact_maml_under_bf16_autocast(world, estimator):
    """bf16 has 8 bits: each product is off by up to 0.4 %, and a gradient of gradients by a few per cent in all."""
    algorithm = replace(PLAIN, estimator=estimator)
    truth, found = gradient(algorithm, world), gradient(algorithm, world, bf16=True)
    assert all(v.dtype == torch.float32 for v in found.values()), "meta-gradients stay in the parameters' precision"
    assert all(bool(v.isfinite().all()) for v in found.values())
    assert gap(found, truth) < 0.1
    cosine = torch.nn.functional.cosine_similarity(flat(found), flat(truth), dim=0)
    assert float(cosine) > 0.995
    assert gap(found, truth) > 1e-6, "autocast was on"
    first = gradient(replace(PLAIN, estimator=FirstOrder()), world)
    assert gap(found, truth) < gap(first, truth), "nearer to the exact gradient than first order is"


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [Unrolled(), Adjoint(), FirstOrder()], ids=lambda e: e.name)
def test_a_query_loss_in_full_precision_brings_it_nearer(world, estimator):
    rough, precise = (replace(PLAIN, head=Zeros(), estimator=estimator, precise=flag) for flag in (False, True))
    truth = gradient(rough, world)
    assert gap(gradient(precise, world), truth) < 1e-6, "in fp32 it changes nothing"
    assert gap(gradient(precise, world, bf16=True), truth) < 0.9 * gap(gradient(rough, world, bf16=True), truth)
    chosen = gradient(replace(rough, precise=None), world, bf16=True)
    expected = precise if rough.second_order else rough
    assert gap(chosen, gradient(expected, world, bf16=True)) < 1e-6, "second order is precise by itself"


class Live(TorchDispatchMode):
    """The most bytes of tensors that lived at a time, those of graphs, states and copies alike."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.most, self._known = 0, 0, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for storage in storages(out):
            if storage._cdata not in self._known:
                foreign = any(storage._cdata == given._cdata for given in storages(args))  # of before the block
                self._meet(storage, 0 if foreign else storage.nbytes())
        return out

    def _meet(self, storage: torch.UntypedStorage, size: int) -> None:
        self._known.add(storage._cdata)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._gone, storage._cdata, size)

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def storages(tree) -> list[torch.UntypedStorage]:
    if isinstance(tree, torch.Tensor):
        return [tree.untyped_storage()]
    return [one for part in tree for one in storages(part)] if isinstance(tree, tuple | list) else []


def peak_of(algorithm: GradientBased, problem: Problem, episode: Episode) -> int:
    """Return the peak of one meta-gradient, without what it returns."""
    meta = {n: v.double() for n, v in algorithm.init(problem.learner, [problem.task], seed=0).items()}
    gc.collect()
    with Live() as live:
        algorithm.meta_grad([problem], meta, [episode], step=0, seed=1)
        gc.collect()
    assert live.now < 0.01 * live.most, "everything is let go in the end"
    return live.most


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [Adjoint(stored=1), FirstOrder()], ids=["adjoint, one stored", "first order"])
def test_the_memory_of_the_inner_loop_does_not_grow_with_its_steps(problem, episode, estimator):
    two, sixteen = (peak_of(replace(PLAIN, estimator=estimator, steps=n), problem, episode) for n in (2, 16))
    assert two > sum(v.numel() * 8 for v in problem.learner.body().values())
    assert sixteen <= 1.02 * two


@pytest.mark.slow
def test_other_ways_do_grow(problem, episode):
    """Unrolling by a graph a step, the adjoint that stores every state by a copy of the parameters a step."""
    size = sum(v.numel() * 8 for v in problem.learner.body().values())
    for estimator, least in ((Unrolled(), 2 * size), (Adjoint(), size)):
        two, six = (peak_of(replace(PLAIN, estimator=estimator, steps=n), problem, episode) for n in (2, 6))
        assert six - two > 0.8 * 4 * least, estimator


@pytest.mark.slow
def test_any_number_of_stored_states_gives_the_same(problem, episode):
    meta = {n: v.double() for n, v in PLAIN.init(problem.learner, [problem.task], seed=0).items()}
    found = [
        replace(PLAIN, estimator=Adjoint(stored=n), steps=5).meta_grad([problem], meta, [episode], step=0, seed=1).grads
        for n in (None, 1, 2, 3, 9)
    ]
    assert all(gap(other, found[0]) < 1e-12 for other in found[1:])
