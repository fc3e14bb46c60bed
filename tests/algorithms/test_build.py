"""Algorithms from plain values."""

import json
from dataclasses import replace

import pytest
import torch

from metaglot.algorithms import GradientBased, build_algorithm
from metaglot.algorithms.build import full_options, has_dropout, prototype_metric
from metaglot.algorithms.maml import maml
from metaglot.algorithms.protonet import protonet
from metaglot.choices import ALGORITHMS
from metaglot.errors import MetaglotError
from metaglot.inner import first_order
from metaglot.models import (
    All,
    AllBut,
    BiasNorm,
    Context,
    Generated,
    HeadOnly,
    Latent,
    Lora,
    Named,
    Prototypes,
    Ridge,
    Svm,
    Warp,
    Zeros,
)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_name_builds_its_defaults(name):
    assert build_algorithm(name) == ALGORITHMS[name]()
    assert build_algorithm(name, {"dropout": False}) == ALGORITHMS[name](dropout=False)


@pytest.mark.parametrize(
    ("options", "made"),
    [
        ({"lr": 1, "steps": 2}, maml(lr=1.0, steps=2)),
        ({"head": "prototypes", "clip": 0.5}, maml(head=Prototypes(), clip=0.5)),
        ({"head": "euclidean-prototypes", "head_lr": None}, maml(head=Prototypes(metric="euclidean"))),
        ({"head": "zeros", "scope": "all"}, maml(head=Zeros(), scope=All())),
        ({"scope": "head"}, maml(scope=HeadOnly())),
        ({"scope": ["a.*", "b"]}, maml(scope=Named(("a.*", "b")))),
        ({"scope": {"lora": {}}}, maml(scope=Lora())),
        ({"scope": {"lora": {"rank": 2, "targets": ["key"]}}}, maml(scope=Lora(2, ("key",)))),
        ({"scope": "lora"}, maml(scope=Lora())),
        ({"scope": {"named": ["a.*"]}}, maml(scope=Named(("a.*",)))),
        ({"scope": {"all-but": {"patterns": ["a.*"]}}}, maml(scope=AllBut(("a.*",)))),
        ({"scope": "bias-norm"}, maml(scope=BiasNorm())),
        ({"scope": {"context": {"size": 8}}}, maml(scope=Context(8))),
        ({"scope": {"warp": {"targets": ["key"]}}}, maml(scope=Warp(("key",)))),
        ({"head": "ridge"}, maml(head=Ridge())),
        ({"head": {"svm": {"c": 2}}}, maml(head=Svm(c=2.0))),
        ({"head": {"generated": {"layers": 3, "moment": True}}}, maml(head=Generated(layers=3, moment=True))),
        ({"head": {"latent": {}}}, maml(head=Latent())),
        ({"head": {"prototypes": {"metric": "euclidean", "scale": 3}}}, maml(head=Prototypes("euclidean", 3.0))),
        ({"head": {"euclidean-prototypes": {"scale": 3}}}, maml(head=Prototypes("euclidean", 3.0))),
    ],
)
def test_values(options, made):
    assert build_algorithm("maml", options) == made
    full = json.loads(json.dumps(full_options("maml", options)))
    assert full.keys() == full_options("maml").keys()
    assert build_algorithm("maml", full) == made


@pytest.mark.parametrize("name", ALGORITHMS)
def test_all_options_by_name_and_value(name):
    full = full_options(name)
    assert build_algorithm(name, json.loads(json.dumps(full))) == build_algorithm(name)
    assert full_options(name, full) == full
    assert full_options(name, {"dropout": False}) == {**full, "dropout": False}


def test_all_options_of_one():
    assert full_options("boil", {"lr": 1}) == {
        "lr": 1.0,
        "steps": 3,
        "metric": "cosine",
        "scope": {"all": {}},
        "dropout": True,
        "estimator": "auto",
    }
    with pytest.raises(MetaglotError, match="algorithm boil: unknown option 'rate'"):
        full_options("boil", {"rate": 1})
    assert build_algorithm("protonet", {"metric": "euclidean"}) == protonet(metric="euclidean")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mamml", {}, "unknown algorithm 'mamml' .did you mean 'maml'"),
        ("maml", {"stpes": 3}, "unknown option 'stpes' .did you mean 'steps'"),
        ("maml", {"steps": 2.5}, "steps: expected int, got 2.5"),
        ("maml", {"steps": True}, "steps: expected int, got True"),
        ("maml", {"lr": "fast"}, "lr: expected int or float, got 'fast'"),
        ("maml", {"clip": "x"}, "clip: expected int or float"),
        ("maml", {"dropout": 1}, "dropout: expected bool, got 1"),
        ("maml", {"head": "prototype"}, "head: expected one of .*did you mean 'prototypes'"),
        ("maml", {"head": ["zeros"]}, "head: expected one of"),
        ("maml", {"scope": "heads"}, "scope: expected one of all, head"),
        ("maml", {"scope": []}, "scope: expected one of all, head"),
        ("maml", {"scope": {"lora": {"rang": 2}}}, "scope.lora: unknown option 'rang' .did you mean 'rank'"),
        ("maml", {"scope": {"lora": {"rank": 2.0}}}, "rank: expected int"),
        ("maml", {"scope": {"lora": {"targets": "query"}}}, "targets: expected a list of"),
        ("protonet", {"metric": "cosin"}, "metric: expected one of cosine, euclidean.*did you mean 'cosine'"),
        ("protonet", {"steps": 2}, "unknown option 'steps'"),
        (
            "maml",
            {"head": {"generated": {"layer": 3}}},
            "head.generated: unknown option 'layer' .did you mean 'layers'",
        ),
        ("maml", {"head": {"generated": {"layers": "3"}}}, "head.generated.layers: expected int, got '3'"),
        ("maml", {"head": {"zeros": {"scale": 3}}}, "head.zeros: unknown option 'scale'; it has none"),
        ("maml", {"head": {"ridge": 3}}, "head.ridge: expected options by name, got 3"),
        ("maml", {"head": {"rigde": {}}}, "head: expected one of .*did you mean 'ridge'"),
        ("maml", {"scope": {"context": {"size": 2.5}}}, "scope.context.size: expected int, got 2.5"),
        ("maml", {"scope": "all-but"}, "scope.all-but.patterns: nothing given; it is needed"),
        ("maml", {"scope": {"all-but": [1]}}, "scope.all-but.patterns: expected a list of names"),
        ("maml", {"scope": {"lora": {}, "all": {}}}, "scope: expected one of all, head"),
        ("maml", {"scope": {"lora": [4]}}, "scope.lora: unknown option 'patterns'"),
        ("warpgrad", {"targets": "query"}, "targets: expected a list of names, got 'query'"),
    ],
    ids=str,
)
def test_wrong_values_name_the_way_out(name, options, message):
    with pytest.raises(MetaglotError, match=message):
        build_algorithm(name, options)


@pytest.mark.parametrize(
    ("name", "options", "metric"),
    [
        ("protonet", {}, "cosine"),
        ("protonet", {"metric": "euclidean"}, "euclidean"),
        ("protomaml", {}, "euclidean"),
        ("protomaml", {"metric": "cosine"}, "cosine"),
        ("maml", {"head": "euclidean-prototypes"}, "euclidean"),
        ("maml", {"head": {"prototypes": {"metric": "euclidean"}}}, "euclidean"),
        ("joint", {"head": "euclidean-prototypes"}, "euclidean"),
        ("sequential-reptile", {"head": "euclidean-prototypes"}, "euclidean"),
        ("r2d2", {}, "cosine"),
        ("of a later version", {}, "cosine"),
        ("protonet", {"metric": "of a later version"}, "cosine"),
    ],
)
def test_the_metric_of_prototypes(name, options, metric):
    assert prototype_metric(name, options) == metric


@pytest.mark.parametrize("name", ALGORITHMS)
def test_whether_it_trains_with_dropout(name):
    assert has_dropout(build_algorithm(name))
    assert not has_dropout(build_algorithm(name, {"dropout": False}))


def test_nothing_can_be_given_where_it_means_something():
    assert build_algorithm("reptile", {"batch_size": None}).batch_size is None
    assert build_algorithm("reptile").batch_size == 8
    with pytest.raises(MetaglotError, match="steps: expected int, got None"):
        build_algorithm("reptile", {"steps": None})


def test_maml_plus_plus_begins_with_first_order_gradients_as_its_paper_does(bert, problem, episode):
    plus = build_algorithm("maml++", {"dropout": False, "lr": 0.1, "head": "prototypes"})
    assert isinstance(plus, GradientBased)
    assert plus.warm_up > 0
    meta = plus.init(bert, [problem.task], seed=0)
    first = replace(plus, estimator=first_order, warm_up=0)

    def grads(algorithm: GradientBased, step: int) -> torch.Tensor:
        found = algorithm.meta_grad([problem], meta, [episode], step=step, seed=0).grads
        return torch.cat([value.flatten() for value in found.values()])

    assert torch.equal(grads(plus, plus.warm_up - 1), grads(first, plus.warm_up - 1))
    assert not torch.allclose(grads(plus, plus.warm_up), grads(first, plus.warm_up), rtol=1e-3)
