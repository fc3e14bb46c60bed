"""`metaglot runs`: what is there, what is damaged, and that only what is no use any more goes."""

import json
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from metaglot.data.locks import writing
from metaglot.training import State
from metaglot.training.checkpoint import list_steps, save

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "run"


@pytest.fixture
def runs(tmp_path) -> Path:
    """Two runs at different depths: one with four checkpoints, the newest damaged, and leftovers; one as it was."""
    shutil.copytree(GOLDEN, tmp_path / "runs" / "deep" / "old")
    run = shutil.copytree(GOLDEN, tmp_path / "runs" / "new")
    for step in (4, 6, 8):
        save(State(step=step, params={"body.x": torch.ones(3)}, seed=0), run, keep=9)
    weights = run / "checkpoints" / "step-8" / "params.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    (run / "checkpoints" / ".part-9-77").mkdir()
    (run / "checkpoints" / ".part-9-77" / "params.safetensors").write_bytes(bytes(100))
    (run.parent / ".new.0123456789ab.part").write_text("half")
    return tmp_path / "runs"


def test_list(metaglot, runs):
    said = metaglot("runs", "list", runs)
    named = {line.split("  ")[0].strip() for line in said.out.splitlines()}
    assert named == {"run", str(runs / "deep" / "old"), str(runs / "new")}
    assert "fomaml" in said.out
    assert "2 of 2" in said.out
    assert "step-2 is whole" in said.out
    assert "step-8 is damaged (params.safetensors" in said.out
    found = {Path(one["run"]).name: one for one in json.loads(metaglot("runs", "list", runs, "--json").out)}
    assert found["old"]["newest"]["whole"]
    assert not found["new"]["newest"]["whole"]
    assert found["old"]["validation"]["accuracy"] == 0.5
    with writing(runs / "new"):
        assert "writing there" in metaglot("runs", "list", runs).out


def test_a_bar_shows_how_many_are_checked(metaglot, runs, monkeypatch):
    shown: list[tuple[str, int, int]] = []

    @contextmanager
    def bars(*, quiet: bool):
        yield lambda *step: None if quiet else shown.append(step)

    monkeypatch.setattr("metaglot.cli.runs.bars", bars)
    assert metaglot("runs", "list", runs).code == 0
    assert metaglot("runs", "list", runs, "--json").code == 0
    assert shown == [("checking runs", 0, 2), ("checking runs", 1, 2)]


def test_show(metaglot, runs):
    said = metaglot("runs", "show", runs / "new")
    assert [line.split()[0] for line in said.out.splitlines()[-4:]] == ["step-2", "step-4", "step-6", "step-8"]
    assert said.out.count("whole") == 3
    facts = json.loads(metaglot("runs", "show", runs / "new", "--json").out)
    assert [one["whole"] for one in facts["checkpoints"]] == [True, True, True, False]
    assert {one["why"] for one in facts["removable"]} == {"left of an interrupted write", "damaged", "old"}
    assert metaglot("runs", "show", runs).code == 2


def test_clean_tells_first_and_removes_when_told(metaglot, runs):
    before = sorted(runs.rglob("*"))
    told = metaglot("runs", "clean", runs)
    assert "would be freed" in told.out
    assert sorted(runs.rglob("*")) == before
    paths = [Path(one["path"]).name for one in json.loads(metaglot("runs", "clean", runs, "--json").out)["paths"]]
    assert sorted(paths) == [".new.0123456789ab.part", ".part-9-77", "step-2", "step-8"]
    said = metaglot("runs", "clean", runs, "--yes", "--json")
    assert json.loads(said.out)["removed"]
    assert list_steps(runs / "new") == [4, 6]
    assert list_steps(runs / "deep" / "old") == [2]
    assert not [path for path in runs.rglob(".*") if path.name.endswith(".part") or ".part-" in path.name]
    assert "nothing to remove" in metaglot("runs", "clean", runs).out
    assert metaglot("runs", "clean", runs / "new", "--keep", 1, "--yes", "--quiet").out == ""
    assert list_steps(runs / "new") == [6]


def test_what_may_be_needed_stays(metaglot, runs):
    """Of a run that somebody trains nothing goes; damaged checkpoints stay where they are all that there is."""
    with writing(runs / "new"):
        said = metaglot("runs", "clean", runs / "new", "--yes")
        assert "is writing there" in said.err
        assert list_steps(runs / "new") == [2, 4, 6, 8]
    for step in (2, 4, 6):
        (runs / "new" / "checkpoints" / f"step-{step}" / "params.safetensors").write_bytes(b"short")
    said = metaglot("runs", "clean", runs / "new", "--yes")
    assert "no checkpoint is whole" in said.err
    assert list_steps(runs / "new") == [2, 4, 6, 8]


def test_a_folder_without_runs(metaglot, tmp_path):
    assert "no run there" in metaglot("runs", "list", tmp_path).out
    assert metaglot("runs", "list", tmp_path / "nowhere").code == 2


def test_a_checkpoint_that_goes_while_it_is_looked_at_is_none(metaglot, runs, monkeypatch):
    def look(folder: Path) -> str | None:
        if folder.name == "step-4":
            shutil.rmtree(folder)  # as a run does that saves a newer one
            return "state.json: no such file"
        return None

    monkeypatch.setattr("metaglot.runs.folders.damage_of_checkpoint", look)
    said = metaglot("runs", "show", runs / "new")
    assert said.code == 0
    assert [line.split()[0] for line in said.out.splitlines()[-3:]] == ["step-2", "step-6", "step-8"]


def test_a_run_that_a_link_names_too_is_there_once(metaglot, runs):
    (runs / "again").symlink_to(runs / "new")
    (runs / "gone").symlink_to(runs / "nowhere")
    named = [Path(one["run"]).name for one in json.loads(metaglot("runs", "list", runs, "--json").out)]
    assert named == ["new", "old"]


def test_nothing_goes_outside_of_the_folder(metaglot, runs, tmp_path):
    """A link to a run elsewhere, to checkpoints elsewhere, and to one checkpoint: only the link itself may go."""
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(runs / "new", elsewhere / "run")
    shutil.move(runs / "new" / "checkpoints", elsewhere / "checkpoints")
    (runs / "new" / "checkpoints").symlink_to(elsewhere / "checkpoints")
    (runs / "linked").symlink_to(elsewhere / "run")
    shutil.move(runs / "deep" / "old" / "checkpoints" / "step-2", elsewhere / "step-2")
    (runs / "deep" / "old" / "checkpoints" / "step-2").symlink_to(elsewhere / "step-2")
    save(State(step=4, params={"body.x": torch.ones(3)}, seed=0), runs / "deep" / "old", keep=9)
    before = sorted(elsewhere.rglob("*"))
    said = metaglot("runs", "clean", runs, "--keep", 1, "--yes")
    assert said.code == 0
    assert sorted(elsewhere.rglob("*")) == before
    assert said.err.count(f"outside of {runs}") == 2
    assert list_steps(runs / "deep" / "old") == [4]
    assert metaglot("runs", "clean", runs / "linked", "--yes").code == 0  # named itself, it is the folder
    assert list_steps(elsewhere / "run") == [4, 6]


def test_one_run_that_cannot_be_read_spoils_no_list(metaglot, runs):
    (runs / "deep" / "old" / "metrics.jsonl").unlink()
    (runs / "deep" / "old" / "metrics.jsonl").mkdir()
    shutil.copytree(GOLDEN, runs / "circle")
    shutil.rmtree(runs / "circle" / "checkpoints")
    (runs / "circle" / "checkpoints").symlink_to("checkpoints")
    for line in (
        '{"kind": "validation", "accuracy": 1' + "0" * 400 + "}",
        '{"kind": "validation", "x": ' + "[" * 99_999,
    ):
        with (runs / "circle" / "metrics.jsonl").open("a") as file:
            file.write(line + "\n")
    said = metaglot("runs", "list", runs)
    assert said.code == 0
    assert "metrics.jsonl: cannot be read" in said.out
    assert metaglot("runs", "show", runs / "circle").code == 0
    assert metaglot("runs", "clean", runs, "--yes").code == 0
    assert (runs / "circle" / "checkpoints").is_symlink()
