"""Every kind of task from a recipe to a prediction: trained, saved, loaded, adapted, and gone on with after a stop."""

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.contract.kinds import REFUSED
from tests.targets import READ, TARGETS, seconds

from metaglot.adaptation import AS_TRAINED, Adapted, AsTrained, load_model
from metaglot.assembly import assemble, labelled, write_run_files
from metaglot.choices import ALGORITHMS
from metaglot.config import dump_recipe, load_recipe, parse_recipe
from metaglot.errors import MetaglotError
from metaglot.families.choose import family_called
from metaglot.training import run

KINDS = [kind for kind in READ if kind != "classification"]  # of classes, other suites show it
QUICK = {("protonet", "multilabel"), ("protonet", "regression"), ("protonet", "tagging")}
OPTIONS = {"maml": {"steps": 2}, "reml": {"steps": 2}, "imaml": {"steps": 2, "iterations": 2}}
OPTIONS |= {"sequential-reptile": {"steps": 2}}
WORDS = ("apple", "pear", "saw", "drill", "horse", "goat")


def write(path: Path, kind: str, *, start: int = 0) -> Path:
    """A file of two domains, the targets of the kind in turn."""
    family, given, pairs = family_called(kind), TARGETS[kind], seconds(kind, 48)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label", "domain", *(["text_pair"] if pairs else [])])
        for i in range(48):
            text = f"{WORDS[i % len(given)]} number {i + start}"
            rows.writerow(
                [
                    text,
                    family.shown(given[i % len(given)]),
                    "left" if i % 8 < 4 else "right",
                    *(pairs[i : i + 1] if pairs else []),
                ]
            )
    return path


@pytest.fixture
def recipe(tiny, tmp_path):
    """Return a function from a kind and an algorithm to a recipe over two files of the kind."""

    def make(kind: str, name: str = "protonet", **training):
        write(tmp_path / "train.csv", kind)
        write(tmp_path / "held.csv", kind, start=100)
        own = {"min_per_class": 4, "task": kind}
        group = {} if name == "transfer" else {"group_by": ["domain"]}
        return parse_recipe(
            {
                "model": {"name": "builtin:tiny", "max_length": 16, "precision": "fp32"},
                "data": {
                    "root": str(tmp_path),
                    "train": [{"path": "train.csv", **own, **group}],
                    "validation": [{"path": "held.csv", **own}],
                },
                "episodes": {"ways": [2, 3], "shots": [2, 4], "queries": 3},
                "algorithm": {"name": name, "options": OPTIONS.get(name, {})},
                "training": {"steps": 2, "meta_batch": 1, "warmup": 0, "save_every": 1, **training},
                "validation": {"every": 2, "episodes": 2, "shots": 3, "queries": 3, "ways": [2, 3]},
            }
        )

    return make


def trained(recipe, folder: Path, *, stop=lambda: False):
    made = assemble(recipe)
    write_run_files(folder, dump_recipe(recipe), made.description)
    *_, last = run(made.plan, folder, stop=stop)
    return last


def in_turn() -> list[tuple[str, str]]:
    """Return each algorithm with one kind that it learns, the kinds in turn, and the quick ones.

    Whether each algorithm learns each kind is the question of `tests/contract/test_kinds.py`; the way of a recipe knows
    no pairs.
    """
    found: list[tuple[str, str]] = []
    for number, name in enumerate(ALGORITHMS):
        able = [kind for kind in KINDS if (name, kind) not in REFUSED]
        found += [(name, able[number % len(able)])] if able else []
    return [*found, *sorted(QUICK.difference(found))]


def test_every_algorithm_and_every_kind_is_tried():
    refused = {name for name in ALGORITHMS if all((name, kind) in REFUSED for kind in KINDS)}
    assert {name for name, _ in in_turn()} == set(ALGORITHMS) - refused
    assert min(Counter(kind for _, kind in in_turn()).values()) >= 3
    assert {kind for _, kind in in_turn()} == set(KINDS)


@pytest.mark.parametrize(
    ("name", "kind"),
    [pytest.param(*one, marks=[] if one in QUICK else pytest.mark.slow, id="-".join(one)) for one in in_turn()],
)
def test_a_recipe_becomes_a_prediction(recipe, tmp_path, name, kind):
    last = trained(recipe(kind, name), tmp_path / "run")
    assert (last.reason, last.state.step) == ("done", 2)
    family = family_called(kind)
    objective = family.objective(family.schema(TARGETS[kind]), 0)
    primary = objective.measures[0]
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    *_, held = [line for line in lines if line["kind"] == "validation"]
    assert primary.in_bounds(held[primary.name])
    assert ("accuracy" in held) == (primary.name == "accuracy")
    described = json.loads((tmp_path / "run/model.json").read_text())
    assert [one["name"] for one in described["measures"]] == [one.name for one in objective.measures]
    model = load_model(tmp_path / "run")
    texts = [f"{WORDS[i % len(TARGETS[kind])]} number {i}" for i in range(16)]
    given = [TARGETS[kind][i % len(TARGETS[kind])] for i in range(16)]
    adapted = model.adapt(texts, given, task=kind, pairs=seconds(kind, 16), effort=AS_TRAINED, seed=3)
    assert isinstance(adapted.effort, AsTrained)
    assert adapted.effort.algorithm == name
    assert adapted.fit.family.name == kind
    asked = ["an old apple", "a new saw"], seconds(kind, 2)
    found = adapted.predictions(*asked)
    assert np.isfinite(found.values).all()
    back = Adapted.load(adapted.save(tmp_path / "out", keep_examples=True))
    assert np.array_equal(back.predictions(*asked).values, found.values)
    assert list(back.predict(*asked)) == list(found.targets)


def test_only_rows_of_tasks_are_cut_into_windows(recipe, monkeypatch):
    of = recipe("question-answering", "joint").model_dump(mode="json")
    whole = assemble(parse_recipe(of)).train
    of["data"]["train"][0]["domains"] = ["left"]
    monkeypatch.setattr(labelled, "CUT", 5)  # rows at a time
    (source,) = assemble(parse_recipe(of)).train
    assert source.info.name.endswith("/left")
    assert source.targets is not None
    assert whole[0].targets is not None
    assert set(source.targets.windows) == set(source.positions.tolist())
    assert len(source) == 24
    for row, window in source.targets.windows.items():
        assert window.tokens == whole[0].targets.windows[row].tokens


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS])
def test_a_run_goes_on_bit_for_bit(recipe, tmp_path, kind):
    of = recipe(kind, "fomaml", steps=4)
    whole = trained(of, tmp_path / "whole")
    asked = iter([False, False, False, True])
    first = trained(of, tmp_path / "parts", stop=lambda: next(asked))
    assert 0 < first.state.step < 4
    rest = trained(load_recipe(tmp_path / "parts/config.yaml"), tmp_path / "parts")
    assert rest.state.step == whole.state.step == 4
    assert all(torch.equal(value, rest.state.params[key]) for key, value in whole.state.params.items())


@pytest.mark.parametrize(("name", "kind"), [one for one in REFUSED if one[1] in KINDS])
def test_what_cannot_learn_a_kind_says_so_before_training(recipe, name, kind):
    with pytest.raises(MetaglotError, match=rf"algorithm: {name} cannot learn tasks of {kind}: .*use an algorithm"):
        assemble(recipe(kind, name))


def test_a_goal_is_of_the_kind(recipe, tmp_path):
    of = recipe("regression").model_dump(mode="json")
    made = assemble(parse_recipe({**of, "goal": {"metric": "mae", "at_most": 0.5}}))
    assert made.plan.goal is not None
    assert (made.plan.goal.metric.name, made.plan.metric.name) == ("mae", "relative_mae")
    with pytest.raises(MetaglotError, match="judged by relative_mae, mae"):
        assemble(parse_recipe({**of, "goal": {"metric": "accuracy", "at_least": 0.5}}))


@pytest.mark.slow
def test_the_kind_is_seen_or_named(recipe, tmp_path):
    of = recipe("regression").model_dump(mode="json")
    for one in (*of["data"]["train"], *of["data"]["validation"]):
        one["task"] = ""
    assert {source.info.family for source in assemble(parse_recipe(of)).train} == {"regression"}
    of["data"]["train"][0]["task"] = "classification"
    with pytest.raises(MetaglotError, match="no such kind of task"):
        parse_recipe({**of, "data": {**of["data"], "train": [{"path": "x", "task": "clasification"}]}})
    made = assemble(parse_recipe(of))
    assert made.train[0].info.labels == ("1.5", "2", "3", "4.25")
    assert made.plan.metric.name == "relative_mae"  # of what is held out
    write(tmp_path / "classes.csv", "classification")
    of["data"]["validation"].append({"path": "classes.csv"})
    with pytest.raises(MetaglotError, match=r"data.validation: .*different metrics \(regression by relative MAE"):
        assemble(parse_recipe(of))


@pytest.mark.slow
def test_kinds_are_trained_together(recipe, tmp_path):
    of = recipe("multilabel").model_dump(mode="json")
    write(tmp_path / "numbers.csv", "regression")
    write(tmp_path / "classes.csv", "classification")
    of["data"]["train"] += [{"path": "numbers.csv", "min_per_class": 4}, {"path": "classes.csv", "min_per_class": 4}]
    made = assemble(parse_recipe({**of, "algorithm": {"name": "fomaml", "options": {"head": "prototypes"}}}))
    kinds = {made.plan.train(0, n, {}).objective.name for n in range(20)}
    assert kinds == {"classification", "multilabel", "regression"}
    *_, last = run(made.plan, tmp_path / "run")
    assert last.reason == "done"
