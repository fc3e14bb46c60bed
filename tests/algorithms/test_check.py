"""Checks of meta-gradients: what holds, what is told of estimates, and that a wrong one is found."""

from dataclasses import dataclass, replace

import pytest

from metaglot.algorithms import build_algorithm
from metaglot.algorithms.check import TOLERANCE, check_gradient, exact_of
from metaglot.algorithms.describe import cost_of, describe, papers_in
from metaglot.algorithms.imaml import imaml
from metaglot.algorithms.maml import maml
from metaglot.choices import ALGORITHMS
from metaglot.inner import Adjoint, FirstOrder, Inner
from metaglot.models import All
from metaglot.types import Episode, Params, Problem

ESTIMATES = {
    "fomaml": "first-order",
    "reptile": "reptile",
    "sequential-reptile": "reptile",
    "imaml": "implicit",
    "reml": "unrolled",  # what its rule reads counts as constant
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_holds_or_is_an_estimate_by_design(bert, name):
    small = {"lr": 1e-2} if name in ESTIMATES and name != "imaml" else {}  # where first order is near the exact one
    if ESTIMATES.get(name) == "reptile":  # which leaves out how a head came from the body: from zeros it did not
        small["head"] = "zeros"
    found = check_gradient(build_algorithm(name, small), bert, directions=1)
    if name in ESTIMATES:
        assert found.holds is None
        assert found.estimator == ESTIMATES[name]
        assert found.along == ()
        assert found.cosine is not None
        assert 0.2 < found.cosine < 0.9999999  # it leads down, if not as straight as the exact one
        assert found.cosines.keys() >= ({"body", "algorithm.rule", "algorithm.lora"} if name == "reml" else {"body"})
        assert min(found.cosines.values()) > 0.2, "so does each part"
        return
    assert found.holds
    (along,) = found.along
    assert abs(along.difference) > 1e-8, "a derivative this small shows nothing"
    assert along.error <= 3 * TOLERANCE


@pytest.mark.parametrize("name", ["protonet", "maml", "joint"])
def test_exact_ones_hold_in_every_direction(bert, name):
    found = check_gradient(build_algorithm(name), bert, directions=2)
    assert found.holds
    assert len(found.along) == 2
    assert found.along[0].difference != found.along[1].difference


def test_a_gradient_that_is_not_what_it_says_is_found(bert):
    """First order that calls itself exact, and an exact one whose loop takes a step less."""
    false = replace(maml(lr=0.1, steps=2), estimator=FirstOrder(exact=True))
    found = check_gradient(false, bert)
    assert found.exact
    assert found.holds is False
    assert all(one.error > 1e-3 for one in found.along)
    assert check_gradient(replace(false, estimator=Adjoint()), bert).holds


@pytest.mark.slow
def test_a_recurrent_rule_that_is_differentiated_through_holds(bert):
    reml = build_algorithm("reml", {"steps": 2, "lr": 1e-2})
    found = check_gradient(reml, bert)
    assert "reads" in found.kind
    assert check_gradient(exact_of(reml), bert).holds


@dataclass(frozen=True)
class Turned:
    """An estimate whose part for the rule has the wrong sign."""

    name: str = "first-order"
    second_order: bool = False
    exact: bool = False

    def __call__(self, inner: Inner, problem: Problem, meta: Params, episode: Episode, seed: int | None):
        grads, record = FirstOrder()(inner, problem, meta, episode, seed)
        return {n: -g if n.startswith("algorithm.rule.") else g for n, g in grads.items()}, record


def test_a_part_of_the_wrong_sign_shows(bert):
    """The cosine of all hides it, because the body outweighs what the rule learns."""
    right = replace(build_algorithm("meta-sgd", {"lr": 1e-3, "head": "prototypes"}), estimator=FirstOrder())
    found, false = (check_gradient(one, bert) for one in (right, replace(right, estimator=Turned())))
    assert min(found.cosines.values()) > 0.9
    assert false.cosine > 0.9
    assert false.cosines["algorithm.rule"] == -found.cosines["algorithm.rule"]
    assert false.cosines["body"] == found.cosines["body"]


def test_first_order_nears_the_exact_gradient_as_the_rate_falls(bert):
    algorithms = [build_algorithm("fomaml", {"lr": lr, "steps": 2, "head": "prototypes"}) for lr in (0.1, 1e-2, 1e-4)]
    cosines = [check_gradient(one, bert).cosine for one in algorithms]
    assert cosines[0] < cosines[1] < cosines[2]
    assert cosines[2] > 0.9999


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_is_described(name):
    found = describe(name)
    assert found.name == name
    assert found.papers, "its file names a paper as `Author et al. YEAR, URL`"
    assert all(paper.url.startswith("https://") and not paper.url.endswith((".", ",")) for paper in found.papers)
    assert found.summary
    for choice in (found.scope, found.head, found.rule):
        assert choice == choice.lower(), f"{choice}: a choice that its dict does not name"
    assert "unknown" not in found.cost


def test_costs():
    assert describe("maml").cost == (
        "1 gradient, 1 product; 2 gradients where memory is short",
        "a graph a step, or a state",
    )
    assert describe("fomaml").cost == ("1 gradient", "no")
    assert describe("protonet").cost == ("none", "no")
    assert describe("anil").cost.passes == "none through the body"
    assert describe("imaml").cost.passes == "none through the body"
    assert cost_of(imaml(scope=All())) == ("1 gradient, and 10 products in all", "no")
    assert describe("protonet").estimator == "plain"
    assert (describe("reptile").scope, describe("reptile").head, describe("reptile").rule) == (
        "all",
        "prototypes",
        "sgd",
    )


def test_papers_are_read_from_prose():
    said = "Triantafillou et al. 2020, https://arxiv.org/abs/1903.03096. As Li and Malik 2017 said (https://x.org/a)."
    assert papers_in(said) == (
        ("Triantafillou et al. 2020", "https://arxiv.org/abs/1903.03096"),
        ("Li and Malik 2017", "https://x.org/a"),
    )
