"""Trackers: what they write is read back; they change nothing of the run; an absent package is said in a line."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

from metaglot.choices import TRACKERS
from metaglot.config import parse_recipe
from metaglot.errors import MetaglotError
from metaglot.training import run
from metaglot.training.run import read_metrics
from metaglot.training.trackers import Tracked, check_trackers, open_trackers, tracked

needs = {name: pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed") for name in TRACKERS}


class Notes:
    """A tracker in memory."""

    def __init__(self):
        self.notes = []

    def log(self, values, *, step):
        self.notes.append((step, dict(values)))

    def close(self):
        self.notes.append("closed")


def finish(plan, folder, names, **more):
    with open_trackers(names, Tracked(folder, "small", {"seed": plan.seed}, **more)) as opened:
        return list(tracked(run(plan, folder), opened))


def test_the_numbers_of_a_run(make_plan, tmp_path):
    notes = Notes()
    events = list(tracked(run(make_plan(steps=4), tmp_path), [notes]))
    assert [event.kind for event in events][:2] == ["start", "validation"]
    written = read_metrics(tmp_path / "metrics.jsonl")
    assert [step for step, _ in notes.notes] == [line["step"] for line in written] == [0, 1, 2, 3, 4, 4]
    for (_, values), line in zip(notes.notes, written, strict=True):
        prefix = {"step": "train", "validation": "validation"}[line["kind"]]
        assert values == {f"{prefix}/{k}": v for k, v in line.items() if k not in {"kind", "step"}}
        assert all(isinstance(value, float) for value in values.values())


def test_they_are_closed_when_the_run_fails(tmp_path, monkeypatch):
    notes = Notes()
    monkeypatch.setattr("metaglot.training.trackers.TRACKERS", {"json": lambda _: notes})

    def fail():
        with open_trackers(["json", "json"], Tracked(tmp_path, "x", {})) as opened:
            assert opened == [notes]  # once, however often it is named
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert notes.notes == ["closed"]


@needs["tensorboard"]
def test_tensorboard_is_read_back_and_goes_on(make_plan, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    plan = make_plan(steps=8)
    finish(plan, tmp_path / "plain", [])
    half = run(plan, tmp_path / "run")
    with open_trackers(["tensorboard"], Tracked(tmp_path / "run", "small", {})) as opened:
        for event in tracked(half, opened):
            if event.state.step == 7:  # killed after step 7, when step 5 was the last saved
                break
        half.close()
    finish(plan, tmp_path / "run", ["tensorboard"], step=5)
    found = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert {"train/loss", "train/lr", "validation/accuracy"} <= set(found.Tags()["scalars"])
    losses = {scalar.step: scalar.value for scalar in found.Scalars("train/loss")}
    lines = read_metrics(tmp_path / "run" / "metrics.jsonl")
    written = {line["step"]: line["loss"] for line in lines if line["kind"] == "step"}
    assert list(written) == list(range(1, 9))
    assert losses == pytest.approx(written, rel=1e-6)
    assert [scalar.step for scalar in found.Scalars("train/loss")] == list(range(1, 9))  # none twice
    assert [scalar.step for scalar in found.Scalars("validation/accuracy")] == [0, 4, 8]
    plain, with_it = (
        (tmp_path / name / "checkpoints/step-8/params.safetensors").read_bytes() for name in ("plain", "run")
    )
    assert plain == with_it


@needs["trackio"]
def test_trackio_writes_what_it_is_told(tmp_path):
    """In a process of its own: the package reads its folder once, when it is imported."""
    code = (
        "from pathlib import Path; from metaglot.training.trackers import Tracked, open_trackers\n"
        f"with open_trackers(['trackio'], Tracked(Path({str(tmp_path)!r}), 'small', {{'seed': 3}})) as (one,):\n"
        "    [one.log({'train/loss': 1 / step}, step=step) for step in (1, 2, 4)]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    import sqlite3

    (file,) = (tmp_path / "trackio").glob("*.db")
    with sqlite3.connect(file) as database:
        rows = database.execute("SELECT step, metrics FROM metrics ORDER BY step").fetchall()
    assert [(step, json.loads(metrics)["train/loss"]) for step, metrics in rows] == [(1, 1.0), (2, 0.5), (4, 0.25)]


@needs["wandb"]
def test_wandb_writes_what_it_is_told_offline(tmp_path):
    with open_trackers(["wandb"], Tracked(tmp_path, "small", {"seed": 3})) as (one,):
        for step in (1, 2, 4):
            one.log({"train/loss": 1 / step}, step=step)
    (file,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    content = file.read_bytes()
    assert content.count(b"train/loss") >= 3
    assert b"0.25" in content


@pytest.mark.parametrize("name", TRACKERS)
def test_an_absent_package(name, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MetaglotError, match=rf"pip install 'metaglot\[{name}\]'"):
        check_trackers([name])


def test_an_unknown_name():
    with pytest.raises(MetaglotError, match="unknown tracker 'mlflow'; choose from tensorboard, trackio, wandb"):
        check_trackers(["mlflow"])


def test_the_recipe_names_them():
    recipe = parse_recipe({"data": {"train": ["a.csv"]}, "training": {"trackers": ["tensorboard", "wandb"]}})
    assert recipe.training.trackers == ("tensorboard", "wandb")
    with pytest.raises(MetaglotError, match="trackers"):
        parse_recipe({"data": {"train": ["a.csv"]}, "training": {"trackers": ["mlflow"]}})
