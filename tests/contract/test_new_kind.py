"""A kind of task that no file of the package knows goes through data, adaptation, every command and a recipe."""

import json
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from tests.contract.counts import COUNTS

from metaglot import Adapted, load
from metaglot.assembly import assemble, write_run_files
from metaglot.choices import FAMILIES
from metaglot.config import dump_recipe, parse_recipe
from metaglot.training import run

TEXTS = [
    f"the {thing} rang {when}"
    for thing in ("phone", "bell", "alarm")
    for when in ("once", "all day", "at night", "never")
]
TARGETS = [(1, 9, 3, 0)[i % 4] + i // 4 for i in range(len(TEXTS))]


@pytest.fixture(autouse=True)
def counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind, as a line in `choices.FAMILIES` makes it known."""
    monkeypatch.setattr(FAMILIES, "kinds", MappingProxyType({**FAMILIES.kinds, "counts": COUNTS}))
    monkeypatch.setattr(FAMILIES, "places", MappingProxyType({**FAMILIES.places, "counts": COUNTS.place}))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    lines = [f"{text},{target}\n" for text, target in zip(TEXTS, TARGETS, strict=True)]
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(lines))
    return tmp_path / "a.csv"


def test_a_look_at_it_is_by_its_family(metaglot, file):
    found = json.loads(metaglot("data", "inspect", file, "--task", "counts", "--json").out)
    assert (found["task"], found["targets"]) == ("counts", {"n": 12, "different": 9, "missing": 0})
    assert ("classes" in found, found["notes"]) == (False, ["counts were read"])
    shown = metaglot("data", "inspect", file, "--task", "counts").out
    assert "3 times" in shown
    assert "12, 9 different" in shown
    file.write_text("text,label\na,1\nb,2.5\n")
    for command in (("data", "inspect", file), ("adapt", "builtin:tiny", file, "--out", file.parent / "m")):
        wrong = metaglot(*command, "--task", "counts")
        assert (wrong.code, "the label of row 2 is 2.5, which is no count" in wrong.err) == (2, True)


def test_it_is_learnt_predicted_and_edited(metaglot, tiny, file, tmp_path):
    asked = ("--task", "counts", "--effort", "instant", "--keep-examples", "--out", tmp_path / "m")
    said = metaglot("adapt", tiny, file, *asked)
    assert said.code == 0, said.err
    adapted = Adapted.load(tmp_path / "m")
    same = load(tiny).adapt(TEXTS, TARGETS, task="counts", effort="instant")
    assert np.array_equal(adapted.predictions(TEXTS).values, same.predictions(TEXTS).values)
    assert (
        np.abs(np.array(adapted.predict(TEXTS)) - TARGETS).mean()
        < np.abs(np.array(TARGETS) - np.median(TARGETS)).mean()
    )
    rows = [json.loads(line) for line in metaglot("predict", tmp_path / "m", file, "--json").out.splitlines()]
    assert [row["label"] for row in rows] == adapted.predict(TEXTS)
    assert metaglot("predict", tmp_path / "m", "--text", TEXTS[1]).out.startswith(f"{rows[1]['label']} times\t")
    refused = metaglot("predict", tmp_path / "m", file, "--explain")
    assert (refused.code, "is a task of counts" in refused.err) == (2, True)
    edited = metaglot(
        "edit", tmp_path / "m", "--add", file, "--relabel", "3=4", "--remove", "1", "--out", tmp_path / "n"
    )
    assert (edited.code, "from 23 examples" in edited.out) == (0, True), edited.err
    wrong = metaglot("edit", tmp_path / "m", "--relabel", "3=many")
    assert (wrong.code, "which is no number" in wrong.err) == (2, True)
    assert Adapted.load(tmp_path / "n").examples.targets == (*TARGETS[1:2], 4, *TARGETS[3:], *TARGETS)


def test_it_is_judged_beside_a_constant(metaglot, tiny, file, tmp_path):
    asked = ("--task", "counts", "--shots", "4", "--draws", "1", "--against", "frozen-lr", "--out", tmp_path / "r")
    said = metaglot("evaluate", tiny, file, *asked, "--efforts", "instant")
    assert said.code == 0, said.err
    rows = [json.loads(line) for line in (tmp_path / "r/results.jsonl").read_text().splitlines()]
    assert {row["method"] for row in rows} == {"ours-instant", "prior", "frozen-lr"}
    assert all(row["kind"] == "counts" and row["measures"][0]["name"] == "mae" for row in rows)
    assert "MAE" in (tmp_path / "r/table.md").read_text()


def test_a_recipe_trains_on_it(tiny, tmp_path):
    rows = [f"{text} {n},{target}\n" for n in range(4) for text, target in zip(TEXTS, TARGETS, strict=True)]
    (tmp_path / "train.csv").write_text("text,label\n" + "".join(rows))
    recipe = parse_recipe(
        {
            "model": {"name": tiny, "max_length": 12, "precision": "fp32"},
            "data": {"root": str(tmp_path), "train": [{"path": "train.csv", "task": "counts", "min_per_class": 4}]},
            "episodes": {"ways": [2, 3], "shots": [2, 4], "queries": 3},
            "algorithm": {"name": "fomaml"},
            "training": {"steps": 1, "meta_batch": 1, "warmup": 0},
        }
    )
    made = assemble(recipe)
    write_run_files(tmp_path / "run", dump_recipe(recipe), made.description)
    *_, last = run(made.plan, tmp_path / "run")
    assert (last.reason, last.state.step) == ("done", 1)
    adapted = load(tmp_path / "run").adapt(TEXTS, TARGETS, task="counts", effort="as-trained")
    assert all(isinstance(one, int) and one >= 0 for one in adapted.predict(TEXTS))
