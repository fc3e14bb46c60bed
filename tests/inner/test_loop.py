"""The inner loop: minibatches, masks of dropout, graphs and memory."""

import pytest
import torch
from torch.nn.functional import one_hot

from metaglot.choices import ESTIMATORS
from metaglot.families.batches import size, take
from metaglot.inner import Adam, InnerLoop, Sgd, first_order, gradients, reptile, unrolled
from metaglot.inner.estimators import Inner
from metaglot.models import All, HeadOnly, Lora, Prototypes, Zeros
from metaglot.models.heads import class_means
from metaglot.types import Problem


class Watching(Problem):
    """A problem that remembers the batches and seeds that it was asked for."""

    def loss(self, params, batch, *, seed=None):
        self.__dict__.setdefault("asked", []).append((batch["input_ids"].clone(), seed))
        return super().loss(params, batch, seed=seed)


@pytest.fixture
def watching(problem) -> Watching:
    return Watching(problem.learner, problem.objective, problem.task)


def run(problem, loop, support, *, seed=None, create_graph=False):
    meta = problem.learner.body()
    start = Zeros().start(problem, meta, support)
    return loop.run(problem, meta, start, support, seed=seed, create_graph=create_graph)


@pytest.mark.parametrize(("batch_size", "per_pass"), [(1, 6), (2, 3), (4, 2), (5, 2)])
def test_each_pass_meets_every_example_once(watching, support, batch_size, per_pass):
    passes = 3
    run(watching, InnerLoop(Sgd(), passes * per_pass, batch_size=batch_size), support)
    everything = sorted(row.tolist() for row in support["input_ids"])
    assert len(watching.asked) == passes * per_pass
    orders = []
    for i in range(passes):
        rows = [row.tolist() for ids, _ in watching.asked[i * per_pass : (i + 1) * per_pass] for row in ids]
        assert sorted(rows) == everything
        orders.append(rows)
    assert orders[0] != orders[1], "shuffled anew in each pass"
    assert max(len(ids) for ids, _ in watching.asked) <= batch_size


@pytest.mark.parametrize("batch_size", [None, 6, 100])
def test_all_examples_in_their_order_where_they_fit(watching, support, batch_size):
    run(watching, InnerLoop(Sgd(), 2, batch_size=batch_size), support)
    assert [torch.equal(ids, support["input_ids"]) for ids, _ in watching.asked] == [True, True]


def test_the_order_of_minibatches_is_a_seed_of_its_own(problem, support):
    def batches(order, seed):
        watching = Watching(problem.learner, problem.objective, problem.task)
        run(watching, InnerLoop(Sgd(), 3, batch_size=2, order=order), support, seed=seed)
        return [ids.tolist() for ids, _ in watching.asked]

    assert batches(1, None) == batches(1, None) == batches(1, 5)
    assert batches(1, None) != batches(2, None)


def test_dropout_has_another_mask_each_step(watching, support):
    run(watching, InnerLoop(Sgd(), 4), support, seed=3)
    assert len({seed for _, seed in watching.asked}) == 4
    run(watching, InnerLoop(Sgd(), 2), support)
    assert [seed for _, seed in watching.asked[4:]] == [None, None]


@pytest.mark.parametrize("rule", [Sgd(lr=0.1), Adam(lr=0.01)], ids=["sgd", "adam"])
def test_the_start_is_never_written_to(problem, support, rule):
    """Without a graph rules may work in place, but not on what the loop was given."""
    meta = {name: value.clone() for name, value in problem.learner.body().items()}
    start = {**All().start(meta), **Prototypes().start(problem, meta, support)}
    copies = {name: value.clone() for name, value in start.items()}
    for create_graph in (False, True):
        fast = InnerLoop(rule, 2).run(problem, meta, start, support, seed=None, create_graph=create_graph)
        assert all(torch.equal(start[name], copies[name]) for name in start)
        moved = [name for name in fast.params if not torch.equal(fast.params[name], start[name])]
        assert len(moved) > 20
        assert not any(a.data_ptr() == start[n].data_ptr() for n, a in fast.params.items() if n in moved)


@pytest.mark.parametrize("rule", [Sgd(lr=0.1, clip=0.5), Adam(lr=0.01)], ids=["sgd", "adam"])
def test_with_and_without_a_graph_the_path_is_the_same(problem, support, rule):
    for seed in (None, 4):
        a, b = (run(problem, InnerLoop(rule, 4), support, seed=seed, create_graph=graph) for graph in (False, True))
        assert all(torch.allclose(a.params[n], b.params[n], rtol=1e-12, atol=1e-13) for n in a.params)
        assert [t.loss for t in a.trace] == pytest.approx([t.loss for t in b.trace], rel=1e-12)
        assert all(v.grad_fn is None for v in a.params.values())
        assert all(v.grad_fn is not None for v in b.params.values())


def test_gradients_of_what_is_not_used_are_zeros():
    x, y = torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)
    found = gradients((x * 2).sum(), {"x": x, "y": y})
    assert found["x"].tolist() == [2, 2]
    assert found["y"].tolist() == [0, 0, 0]
    assert gradients(torch.zeros(()), {"x": x})["x"].tolist() == [0, 0]
    assert gradients(torch.zeros(()), {}) == {}


def test_prototypes_start_from_the_features_of_the_scope_that_moves(problem, bert, support):
    """LoRA pairs that were meta-learnt stand in the network whose features are averaged."""
    scope = Lora(rank=2)
    meta = {**bert.body(), **scope.init(bert.body(), seed=0)}
    meta = {n: v + 0.3 if n.endswith(".b") else v for n, v in meta.items()}
    start = Inner(scope, Prototypes(metric="euclidean", scale=0.5), InnerLoop(Sgd(), 0)).start(
        problem, meta, support, seed=None
    )
    features = bert.forward(scope.start(meta), support).pooled
    expected = class_means(features, one_hot(support["labels"], 3).double())
    assert torch.allclose(start["head.weight"], expected, rtol=1e-12)
    unmoved = class_means(bert.forward({}, support).pooled, one_hot(support["labels"], 3).double())
    assert not torch.allclose(expected, unmoved, rtol=1e-3)


def test_estimators_by_name():
    assert all(make().name == name for name, make in ESTIMATORS.items())
    assert len(ESTIMATORS) == 8
    assert [ESTIMATORS[e.name]() for e in (unrolled, first_order, reptile)] == [unrolled, first_order, reptile]


def test_reptile_takes_support_and_query_together(problem, episode):
    watching = Watching(problem.learner, problem.objective, problem.task)
    inner = Inner(HeadOnly(), Zeros(), InnerLoop(Sgd(), 1))
    reptile(inner, watching, problem.learner.body(), episode, None)
    assert [len(ids) for ids, _ in watching.asked] == [size(episode.support) + size(episode.query)]
    first = take(episode.support, torch.arange(1))
    assert torch.equal(watching.asked[0][0][:1, : first["input_ids"].shape[1]], first["input_ids"])
