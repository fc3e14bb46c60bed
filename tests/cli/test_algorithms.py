"""`metaglot algorithms` and `metaglot check-gradient`."""

import json

import pytest

from metaglot.choices import ALGORITHMS


def test_algorithms_are_listed(metaglot):
    said = metaglot("algorithms", "--json")
    assert said.code == 0
    found = {one["name"]: one for one in json.loads(said.out)}
    assert list(found) == list(ALGORITHMS)
    assert found["maml"]["cost"]["grows"] == "a graph a step, or a state"
    assert found["maml"]["papers"][0] == {"cite": "Finn et al. 2017", "url": "https://arxiv.org/abs/1703.03400"}
    table = metaglot("algorithms")
    assert table.code == 0
    assert "maml" in table.out


@pytest.mark.slow
def test_a_gradient_that_holds(metaglot):
    asked = ("check-gradient", "builtin:tiny", "--algorithm", "protonet", "--directions", "2")
    said = metaglot(*asked, "--json")
    assert said.code == 0
    found = json.loads(said.out)
    assert found["holds"] is True
    assert found["model"] == "builtin:tiny"
    assert len(found["directions"]) == 2
    assert all(one["error"] < 1e-5 for one in found["directions"])
    plain = metaglot(*asked)
    assert "holds" in plain.out
    assert plain.out.count("direction ") == 2


def test_an_estimate_says_what_it_is(metaglot):
    said = metaglot("check-gradient", "builtin:tiny", "--algorithm", "fomaml", "--option", "steps=1")
    assert said.code == 0
    assert "an estimate by design (first order" in said.out
    assert "cosine" in said.out


def test_a_gradient_that_does_not_hold_is_exit_code_one(metaglot, monkeypatch):
    monkeypatch.setattr("metaglot.algorithms.check.TOLERANCE", -1.0)
    said = metaglot("check-gradient", "builtin:tiny", "--algorithm", "protonet", "--directions", "1")
    assert said.code == 1
    assert "DOES NOT HOLD" in said.out


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["--algorithm", "mamml"], "did you mean 'maml'"),
        (["--algorithm", "maml", "-o", "steps"], "expected key=value"),
        (["--algorithm", "maml", "-o", "stpes=2"], "did you mean 'steps'"),
        (["--algorithm", "maml", "--directions", "0"], "--directions 0"),
    ],
)
def test_mistakes(metaglot, asked, message):
    said = metaglot("check-gradient", "builtin:tiny", *asked)
    assert said.code == 2
    assert message in said.err
