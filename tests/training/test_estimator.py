"""The estimator auto: what is chosen at which memory, how it is said, and that a run keeps what it began with."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from metaglot.algorithms import GradientBased, build_algorithm
from metaglot.algorithms.anil import anil
from metaglot.algorithms.maml import fomaml, maml
from metaglot.algorithms.protonet import protonet
from metaglot.choices import ALGORITHMS, ESTIMATORS
from metaglot.errors import MetaglotError
from metaglot.inner import Adjoint, Auto, unrolled
from metaglot.tasks import Shape, SupervisedTasks, sources_of
from metaglot.training import estimator as module
from metaglot.training.estimator import SHARE, choose, earlier, settled
from metaglot.training.need import EpisodeSize, Need

GB = 10**9
NEED = Need(steps=5, losses=1, start=0, first=GB, step=2 * GB, query=GB, state=GB // 10, held=GB // 2)
TAKES_IT = {
    *("maml", "protomaml", "leopard", "meta-sgd", "maml++", "cavia", "boil", "meta-curvature", "warpgrad", "reml"),
    *("metanet-1", "metanet-n"),
}


@pytest.fixture
def tasks(toy, family) -> SupervisedTasks:
    return SupervisedTasks(tuple(sources_of(toy)), family, Shape((2, 3), (1, 2), 2))


@pytest.fixture
def learner(make_bert):
    return make_bert(dtype=torch.float32)


CHOICES = {
    "all fits": (16 * GB, unrolled),
    "just": (int((10 + 0.5) * GB / SHARE) + 1, unrolled),
    "not quite": (int((10 + 0.5) * GB / SHARE) - 10, Adjoint(keep=4)),
    "three graphs": (int((7.2 + 0.5) * GB / SHARE) + 1, Adjoint(keep=3)),
    "one graph": (int((3.4 + 0.5) * GB / SHARE) + 1, Adjoint(keep=1)),
    "none": (int((3.4 + 0.5) * GB / SHARE) - 10, Adjoint()),
    "too little": (GB, Adjoint()),
    "unknown": (None, unrolled),
}


@pytest.mark.parametrize("name", CHOICES)
def test_the_quickest_that_fits(name):
    free, expected = CHOICES[name]
    assert choose(NEED, free)[0] == expected


def test_the_choice_is_said():
    said = {name: choose(NEED, free)[1] for name, (free, _) in CHOICES.items()}
    assert said["all fits"] == "unrolled, which needs about 10.5 GB of the 16.0 GB that are free"
    assert said["three graphs"] == (
        "mixed with 3 of the graphs kept, because unrolled needs about 10.5 GB and 11.0 GB are free"
    )
    assert said["none"] == "adjoint, because unrolled needs about 10.5 GB and 5.6 GB are free"
    assert "; it needs about 3.0 GB itself, which may not do: lower episodes.max_support" in said["too little"]
    assert "is unknown here" in said["unknown"]


def test_the_reason_of_each_boundary():
    """0.7 of what is free, less what training holds anyway."""
    assert [NEED.kept(k) / GB for k in range(6)] == pytest.approx([2.5, 3.4, 5.3, 7.2, 9.1, 10.0])


@pytest.mark.parametrize(("free", "expected"), [(10 * GB, "unrolled"), (10**6, "adjoint")])
def test_settled(learner, tasks, free, expected):
    made = settled(maml(), learner, tasks, EpisodeSize(6, 6, 12), free=free)
    assert made.algorithm == replace(maml(), estimator=ESTIMATORS[expected]())
    assert made.note.startswith(f"estimator: {expected}, ")
    assert made.record is not None
    assert made.record["name"] == expected
    assert made.record["free_bytes"] == free
    assert json.loads(json.dumps(made.record)) == made.record


def test_what_has_no_choice_is_left_alone(learner, tasks):
    for algorithm in (fomaml(), maml(estimator="adjoint"), build_algorithm("joint"), build_algorithm("reptile")):
        assert settled(algorithm, learner, tasks, EpisodeSize(6, 6, 12)) == (algorithm, "", None)


@pytest.mark.parametrize("made", [anil(), protonet(), replace(maml(), proximal=0.5), replace(maml(), steps=0)])
def test_where_one_alone_makes_sense_nothing_is_measured(learner, tasks, monkeypatch, made):
    monkeypatch.setattr(module, "measured", None)
    made = replace(made, estimator=Auto())
    found = settled(made, learner, tasks, EpisodeSize(6, 6, 12))
    assert found == (replace(made, estimator=unrolled), "", None)


@pytest.mark.parametrize("estimator", [unrolled, Adjoint(), Adjoint(keep=2)], ids=lambda e: e.name)
def test_an_earlier_choice_is_kept_whatever_is_free(learner, tasks, monkeypatch, estimator):
    monkeypatch.setattr(module, "measured", None)
    record = {"name": estimator.name, "keep": getattr(estimator, "keep", None)}
    for free in (1, 10**15):
        found = settled(maml(), learner, tasks, EpisodeSize(6, 6, 12), record=record, free=free)
        assert found.algorithm == replace(maml(), estimator=estimator)
        assert found.note == f"estimator: {module._name(estimator)}, as this run began"
        assert found.record == record


def test_runs_from_before_choices_were_recorded_were_unrolled():
    assert earlier({}, trained=False) is None
    assert earlier({}, trained=True) == {"name": "unrolled", "keep": None}
    assert earlier({"estimator": {"name": "mixed", "keep": 2}}, trained=False) == {"name": "mixed", "keep": 2}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_option_in_recipes(name):
    if name not in TAKES_IT:
        with pytest.raises(MetaglotError, match="unknown option 'estimator'"):
            build_algorithm(name, {"estimator": "adjoint"})
        return
    assert build_algorithm(name).estimator == Auto()
    for choice in ("unrolled", "adjoint", "mixed", "finite-differences"):
        made = build_algorithm(name, {"estimator": choice})
        assert isinstance(made, GradientBased)
        assert made.estimator == ESTIMATORS[choice]()
    with pytest.raises(MetaglotError, match=r"estimator: expected one of auto, .*did you mean 'adjoint'"):
        build_algorithm(name, {"estimator": "adjont"})


MAML = "algorithm={name: maml, options: {steps: 2}}"


def checkpoint(folder, step):
    return (folder / "checkpoints" / f"step-{step}" / "params.safetensors").read_bytes()


@pytest.mark.slow
def test_a_run_goes_on_with_the_estimator_it_began_with(small_recipe, metaglot, monkeypatch):
    """Little memory at the start and much at the resume, and the other way round: the bits are those of one go."""
    free = {"now": 10**6}
    monkeypatch.setattr(module, "free_memory", lambda _: free["now"])
    whole = metaglot("pretrain", small_recipe, MAML, "--out", "whole")
    assert whole.code == 0
    assert "estimator: adjoint, because unrolled needs about" in whole.err
    described = json.loads((small_recipe.parent / "whole" / "model.json").read_text("utf-8"))
    assert described["estimator"]["name"] == "adjoint"
    assert described["estimator"]["free_bytes"] == 10**6

    again = small_recipe.parent / "again"
    assert metaglot("pretrain", small_recipe, MAML, "--out", again).code == 0
    shutil.rmtree(again / "checkpoints" / "step-4")  # as if it had been killed after step 2
    free["now"] = 10**13
    resumed = metaglot("pretrain", small_recipe, MAML, "--out", again, "--resume")
    assert resumed.code == 0
    assert "estimator: adjoint, as this run began" in resumed.err
    assert json.loads((again / "model.json").read_text("utf-8"))["estimator"] == described["estimator"]
    assert checkpoint(again, 4) == checkpoint(small_recipe.parent / "whole", 4)
    fresh = metaglot("pretrain", small_recipe, MAML, "--out", again, "--force")
    assert "estimator: unrolled, which needs about" in fresh.err
