"""Heads: zeros, and prototypes equal to the definition by distances and angles."""

import math

import pytest
import torch
from torch.nn.functional import normalize, one_hot, softmax

from metaglot.models import Prototypes, Zeros
from metaglot.models.heads import LOG_SCALE, class_means, prototype_layer


def test_zeros_have_the_tasks_shape_and_the_learners_precision(problem, bert, support, make_bert):
    head = Zeros().start(problem, bert.body(), support)
    assert {name: value.shape for name, value in head.items()} == {"head.weight": (3, 16), "head.bias": (3,)}
    assert all(value.dtype == torch.float64 and not value.any() for value in head.values())
    assert float(problem.loss({**bert.body(), **head}, support)) == pytest.approx(math.log(3))
    for dtype in (torch.float32, torch.bfloat16):
        body = make_bert(dtype=dtype).body()
        assert Zeros().start(problem, body, support)["head.weight"].dtype == torch.float32
    assert Zeros().init(4, seed=0) == {}


def test_class_means_by_hand():
    features = torch.tensor([[1.0, 0.0], [3.0, 2.0], [5.0, 5.0]])
    means = class_means(features, one_hot(torch.tensor([1, 1, 0]), 3).float())
    assert torch.equal(means, torch.tensor([[5.0, 5.0], [2.0, 1.0], [0.0, 0.0]]))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_prototype_scores_are_those_of_the_paper(problem, bert, episode, metric):
    head = Prototypes(metric=metric, scale=3.0)
    meta = {**bert.body(), **head.init(4, seed=0)}
    layer = head.start(problem, meta, episode.support)
    x, q = (problem.units(meta, part).features for part in (episode.support, episode.query))
    means = torch.stack([x[episode.support["labels"] == c].mean(0) for c in range(3)])
    if metric == "cosine":
        expected = softmax(3.0 * q @ normalize(means, dim=1).T, dim=1)
    else:
        expected = softmax(-3.0 * torch.cdist(q, means).pow(2), dim=1)
    found = softmax(problem.logits({**meta, **layer}, episode.query), dim=1)
    assert torch.allclose(found, expected, atol=1e-6, rtol=0)  # log 3 is kept in float32
    assert found.shape == (6, 3)


def test_the_scale_is_learnt_where_it_is_a_parameter(problem, bert, support):
    head = Prototypes(scale=2.0)
    assert float(head.init(4, seed=0)[LOG_SCALE]) == pytest.approx(math.log(2))
    fixed = head.start(problem, bert.body(), support)["head.weight"]
    learnt = head.start(problem, {**bert.body(), LOG_SCALE: torch.tensor(math.log(4.0)).double()}, support)
    assert torch.allclose(learnt["head.weight"], 2 * fixed)


def test_a_class_without_an_example_is_finite_and_so_is_its_gradient():
    means = torch.zeros(2, 3, requires_grad=True)
    for metric in ("cosine", "euclidean"):
        layer = prototype_layer(means, torch.tensor(2.0), metric)
        (grad,) = torch.autograd.grad(sum(v.sum() for v in layer.values() if v.requires_grad), [means])
        assert all(bool(v.isfinite().all()) for v in (*layer.values(), grad))


def test_dropout_in_the_support_features_follows_the_seed(problem, bert, support):
    def weight(seed):
        return Prototypes().start(problem, bert.body(), support, seed=seed)["head.weight"]

    assert torch.equal(weight(1), weight(1))
    assert not torch.equal(weight(1), weight(2))
    assert not torch.equal(weight(1), weight(None))
