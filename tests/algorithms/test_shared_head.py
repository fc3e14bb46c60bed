"""A head that all tasks of a kind share is a meta-parameter: taught, begun from, and saved."""

from dataclasses import dataclass, replace
from types import MappingProxyType

import pytest
import torch

from metaglot.algorithms import build_algorithm
from metaglot.choices import FAMILIES, Kind
from metaglot.errors import MetaglotError
from metaglot.families.classification import Classification, ClassificationFamily
from metaglot.families.records import Schema
from metaglot.models.heads.shared import SCALE
from metaglot.seeds import generator
from metaglot.tasks import Shape, draw_episode, sources_of
from metaglot.types import Batch, Budget, Episode, HeadSpec, Problem, TaskInfo

WEIGHT, BIAS = "shared.same.weight", "shared.same.bias"
TAKE_STEPS = ("fomaml", "maml", "anil", "reptile", "sequential-reptile", "joint", "transfer", "imaml", "protomaml")
OPTIONS = {"imaml": {"iterations": 2}}


class SharedClasses(Classification):
    """Classes whose first output means the same in every task."""

    def head_spec(self, task: TaskInfo, hidden_size: int) -> HeadSpec:
        return HeadSpec(hidden_size, 3, shared="same")

    def of_data_set(self, batch: Batch, task: TaskInfo) -> Batch:
        return batch


@dataclass(frozen=True)
class SharedFamily(ClassificationFamily):
    name: str = "same"

    def objective(self, schema: Schema, pad_token_id: int) -> Classification:
        return SharedClasses(pad_token_id)


@pytest.fixture(autouse=True)
def same(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = Kind(f"{__name__}:SharedFamily")
    monkeypatch.setattr(FAMILIES, "kinds", MappingProxyType({**FAMILIES.kinds, "same": kind}))
    monkeypatch.setattr(FAMILIES, "places", MappingProxyType({**FAMILIES.places, "same": kind.place}))


@pytest.fixture
def shared_episode(toy) -> Episode:
    (source,) = sources_of(toy)
    drawn = draw_episode(source, SharedClasses(), Shape((3, 3), (2, 4), 3), generator(0, "shared"))
    return replace(drawn, task=replace(drawn.task, family="same"))


def _learnt(meta):
    rng = torch.Generator().manual_seed(0)
    return {
        n: 0.1 * torch.randn(v.shape, generator=rng, dtype=v.dtype) if n.startswith("shared.") else v
        for n, v in meta.items()
    }


@pytest.mark.parametrize("name", TAKE_STEPS)
def test_meta_training_teaches_it_and_adaptation_begins_from_it(name, bert, shared_episode):
    algorithm = build_algorithm(name, OPTIONS.get(name))
    problem = Problem(bert, shared_episode.objective, shared_episode.task)
    meta = algorithm.init(bert, (shared_episode.task,), seed=0)
    assert meta[WEIGHT].shape == (3, bert.hidden_size)
    assert not bool(meta[WEIGHT].any())
    assert not any(key.startswith("heads.") for key in meta)
    grads = algorithm.meta_grad([problem], _learnt(meta), [shared_episode], step=0, seed=0).grads
    assert bool(grads[WEIGHT].any())
    assert bool(grads[BIAS].any())
    fast = algorithm.adapt(problem, _learnt(meta), shared_episode.support, seed=0, budget=Budget(steps=0))
    assert torch.equal(fast.params["head.weight"], SCALE * _learnt(meta)[WEIGHT])


def test_the_exact_gradient_of_it_is_that_of_finite_differences(bert, shared_episode):
    algorithm = build_algorithm("maml", {"estimator": "unrolled", "dropout": False, "steps": 2, "lr": 0.05})
    problem = Problem(bert, shared_episode.objective, shared_episode.task)
    meta = _learnt(algorithm.init(bert, (shared_episode.task,), seed=0))
    grad = algorithm.meta_grad([problem], meta, [shared_episode], step=0, seed=0).grads[WEIGHT]
    away = torch.randn(grad.shape, generator=torch.Generator().manual_seed(1), dtype=grad.dtype)

    def loss(distance: float) -> float:
        moved = {**meta, WEIGHT: meta[WEIGHT] + distance * away}
        fast = algorithm.adapt(problem, moved, shared_episode.support, seed=0)
        with torch.no_grad():
            return float(problem.loss({**moved, **fast.params}, shared_episode.query))

    slope = (loss(1e-5) - loss(-1e-5)) / 2e-5
    assert float((grad * away).sum()) == pytest.approx(slope, rel=1e-5)


def test_reptile_goes_towards_where_the_head_went(bert, shared_episode):
    algorithm = build_algorithm("reptile", {"dropout": False, "batch_size": None, "steps": 1})
    problem = Problem(bert, shared_episode.objective, shared_episode.task)
    meta = _learnt(algorithm.init(bert, (shared_episode.task,), seed=0))
    once = algorithm.meta_grad([problem], meta, [shared_episode], step=0, seed=0).grads[WEIGHT]
    in_turn = build_algorithm("sequential-reptile", {"dropout": False, "steps": 1})
    two = in_turn.meta_grad([problem] * 2, meta, [shared_episode] * 2, step=0, seed=0).grads[WEIGHT]
    alone = in_turn.meta_grad([problem], meta, [shared_episode], step=0, seed=0).grads[WEIGHT]
    torch.testing.assert_close(alone, once)
    assert float(two.norm()) > 1.2 * float(once.norm())  # the second task goes on where the first one ended


@pytest.mark.parametrize("name", ["protonet", "cotrained", "matchingnet", "r2d2", "metaoptnet", "leopard", "leo"])
def test_what_makes_each_head_from_its_support_set_says_that_it_is_shared(name, bert, shared_episode):
    with pytest.raises(MetaglotError, match=r"same: these tasks share a head.*use an algorithm that takes steps"):
        build_algorithm(name).init(bert, (shared_episode.task,), seed=0)


def test_without_a_learnt_head_adaptation_begins_from_that_of_the_support_set(bert, shared_episode):
    algorithm = build_algorithm("fomaml")
    problem = Problem(bert, shared_episode.objective, shared_episode.task)
    learnt = algorithm.init(bert, (shared_episode.task,), seed=0)
    meta = {n: v for n, v in learnt.items() if not n.startswith("shared.")}
    fast = algorithm.adapt(problem, meta, shared_episode.support, seed=0, budget=Budget(steps=0))
    assert bool(fast.params["head.weight"].any())


def test_kinds_that_share_no_head_have_none(bert, toy):
    infos = [source.info for source in sources_of(toy)]
    for name in ("fomaml", "joint"):
        assert not any(key.startswith("shared.") for key in build_algorithm(name).init(bert, infos, seed=0))
