"""Algorithms from plain values."""

import pytest

from metaglot.algorithms import ALGORITHMS, build_algorithm
from metaglot.algorithms.maml import maml
from metaglot.algorithms.protonet import protonet
from metaglot.errors import MetaglotError
from metaglot.models import All, HeadOnly, Lora, Named, Prototypes, Zeros


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
    ],
)
def test_values(options, made):
    assert build_algorithm("maml", options) == made
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
        ("maml", {"scope": "heads"}, "scope: expected all, head"),
        ("maml", {"scope": []}, "scope: expected all, head"),
        ("maml", {"scope": {"lora": {"rang": 2}}}, "scope: expected all, head"),
        ("maml", {"scope": {"lora": {"rank": 2.0}}}, "rank: expected int"),
        ("maml", {"scope": {"lora": {"targets": "query"}}}, "targets: expected a list of"),
        ("protonet", {"metric": "cosin"}, "metric: expected one of cosine, euclidean.*did you mean 'cosine'"),
        ("protonet", {"steps": 2}, "unknown option 'steps'"),
    ],
    ids=str,
)
def test_wrong_values_name_the_way_out(name, options, message):
    with pytest.raises(MetaglotError, match=message):
        build_algorithm(name, options)
