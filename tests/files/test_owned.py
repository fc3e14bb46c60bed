"""--force and --fresh delete what metaglot wrote, known by content, and refuse where anything else is there."""

import json
import shutil
from pathlib import Path

import pytest

from metaglot.cli.demonstration import _clear_folder
from metaglot.config import dump_recipe, load_recipe, packaged_recipes
from metaglot.data.owned import ADAPTATION, DEMO_RESULTS, RESULTS, RUN, WEIGHTS, check_owned, remove_owned
from metaglot.errors import MetaglotError
from metaglot.runs.averaging import average
from metaglot.runs.shrinking import shrink

ROW = '{"task": "a", "shot": 1, "draw": 0, "method": "m", "accuracy": 0.5}\n'
SETTINGS = '{"seed": 0, "queries": 5}'
CONTENT = {
    "config.yaml": dump_recipe(load_recipe(packaged_recipes()["demo"])),
    "model.json": '{"base": "builtin:tiny", "max_length": 8}',
    "adapted.json": '{"format": 2, "labels": ["a", "b"], "model_sha256": "0"}',
    "results.jsonl": ROW,
    "settings.json": SETTINGS,
}
STEP = "checkpoints/step-12/"
KINDS = {
    "adaptation": (ADAPTATION, ["adapted.json", "weights.safetensors", "README.md", "examples.jsonl"]),
    "run": (
        RUN,
        [
            *("config.yaml", "model.json", "environment.json", "command.json", "metrics.jsonl", "base/config.json"),
            *(f"{STEP}params.safetensors", f"{STEP}state.json", "seen/sets.json", "tensorboard/events.out.1"),
            *("checkpoints/.part-13-1/params.safetensors", ".model.json.0123.part"),
        ],
    ),
    "weights": (WEIGHTS, ["model.json", f"{STEP}params.safetensors", "seen/hashes.safetensors"]),
    "results": (RESULTS, ["settings.json", "results.jsonl", "table.md", "report.html", "leakage.json"]),
    "demo": (DEMO_RESULTS, ["closed/settings.json", "closed/results.jsonl", "gradient/settings.json", "results.jsonl"]),
}
FOREIGN = ["thesis.txt", "notes/thesis.txt", "checkpoints/best.pt", "checkpoints/step-12/notes.txt", "a link", "empty/"]


def fill(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(CONTENT.get(Path(name).name, "x"))


def listed(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_is_ours_goes(kind, tmp_path):
    owned, names = KINDS[kind]
    fill(tmp_path / "out", names)
    check_owned(tmp_path / "out", owned)
    remove_owned(tmp_path / "out", owned)
    assert listed(tmp_path) == []


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_goes_where_anything_else_is(kind, foreign, tmp_path):
    owned, names = KINDS[kind]
    folder = tmp_path / "out"
    fill(folder, names)
    if foreign == "a link":
        (tmp_path / "thesis").mkdir()
        (folder / "a link").symlink_to(tmp_path / "thesis")
    elif foreign.endswith("/"):
        (folder / foreign).mkdir()
    else:
        fill(folder, [foreign])
    before = listed(folder)
    with pytest.raises(MetaglotError, match=f"metaglot did not write .*{foreign.strip('/').split('/')[-1]}"):
        remove_owned(folder, owned)
    assert listed(folder) == before


@pytest.mark.parametrize(
    ("kind", "name", "content"),
    [
        ("run", "config.yaml", "model: {name: bert}\ntraining: {lr: 1}\n"),
        ("run", "config.yaml", "just words"),
        ("run", "model.json", '{"architecture": "resnet"}'),
        ("adaptation", "adapted.json", "{}"),
        ("adaptation", "adapted.json", "years of work"),
        ("results", "settings.json", '{"editor.tabSize": 4}'),
        ("results", "results.jsonl", '{"run": 1, "score": 2}\n'),
        ("results", "results.jsonl", "[" * 100_000 + "\n"),
    ],
)
def test_a_name_alone_proves_nothing(kind, name, content, tmp_path):
    owned, names = KINDS[kind]
    fill(tmp_path / "out", names)
    (tmp_path / "out" / name).write_text(content)
    before = listed(tmp_path)
    with pytest.raises(MetaglotError, match=f"metaglot did not write .*{name}"):
        remove_owned(tmp_path / "out", owned)
    assert listed(tmp_path) == before


def test_a_pipe_by_the_name_of_a_proof_is_not_read(tmp_path):
    import os

    fill(tmp_path, ["weights.safetensors"])
    os.mkfifo(tmp_path / "adapted.json")
    with pytest.raises(MetaglotError, match=r"metaglot did not write .*adapted\.json"):
        check_owned(tmp_path, ADAPTATION)


FORCED = {
    "pretrain": ["pretrain", "small.yaml", "--force"],
    "resumed": ["pretrain", "small.yaml", "--resume"],
    "adapt": ["adapt", "builtin:tiny", "train.csv", "--force"],
    "evaluate": ["evaluate", "builtin:tiny", "train.csv", "--force", "--shots", "1"],
    "compare": ["compare", "builtin:tiny", "builtin:mini", "train.csv", "--force", "--shots", "1"],
    "bench": ["bench", "builtin:tiny", "train.csv", "--force", "--shots", "1"],
    "shrink": ["shrink", "builtin:mini", "--force"],
    "average": ["average", "builtin:mini", "builtin:mini", "--force"],
    "demo": ["demo", "--fresh", "--tiny"],
}
HELD = {
    "a config of others": {"config.yaml": "model: x\n", "thesis.txt": "work"},
    "settings of others": {"settings.json": "{}", "src/settings.json": "{}", "results.jsonl": "{}\n"},
    "a run and a results folder of others": {"run/thesis.txt": "work", "results/data.csv": "1,2", "adapted.json": "{}"},
    "checkpoints of others": {"checkpoints/best.pt": "work", "model.json": "{}"},
}


@pytest.mark.parametrize("held", HELD)
@pytest.mark.parametrize("command", FORCED)
def test_commands_leave_the_files_of_others(command, held, handled_here, small_recipe, tmp_path):
    folder = tmp_path / "out"
    for name, content in HELD[held].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    if command == "demo" and "run" not in held:
        (folder / "report.html").write_text("years of work")
    before = {name: (folder / name).read_text() for name in listed(folder) if (folder / name).is_file()}
    said = handled_here(*FORCED[command], "--out", folder)
    assert str(folder) in said.err.replace("\n", "")
    assert {name: (folder / name).read_text() for name in listed(folder) if (folder / name).is_file()} == before


@pytest.fixture
def handled_here(metaglot):
    def call(*arguments):
        said = metaglot(*arguments)
        assert said.code == 2, said
        assert "Traceback" not in said.err
        return said

    return call


def test_the_demo_begins_anew_where_all_is_its_own(tmp_path):
    recipe = load_recipe(packaged_recipes()["demo"])
    for part, kind in (("run", "run"), ("results", "demo")):
        fill(tmp_path / part, KINDS[kind][1])
    fill(tmp_path, ["table.md"])
    _clear_folder(tmp_path, recipe, fresh=False)
    assert (tmp_path / "run" / "config.yaml").is_file()
    _clear_folder(tmp_path, recipe, fresh=True)
    assert listed(tmp_path) == ["table.md"]


def test_a_report_is_written_over_a_report_only(tmp_path, metaglot, small_recipe):
    fill(tmp_path / "run", KINDS["results"][1])
    row = {"macro_f1": 0.5, "ece": 0.1, "cpu_seconds": 1.0, "queries": 5, "support": 2, "seed": 0, "model": "m"}
    (tmp_path / "run" / "results.jsonl").write_text(json.dumps({**json.loads(ROW), **row}) + "\n")
    (tmp_path / "run" / "leakage.json").unlink()
    page, text = tmp_path / "page.html", tmp_path / "page.md"
    for _ in range(2):
        said = metaglot("report", tmp_path / "run", "--out", page, "--markdown", text)
        assert said.code == 0, said
    for file in (page, text):
        kept = file.read_text()
        file.write_text("years of work")
        said = metaglot("report", tmp_path / "run", "--out", page, "--markdown", text)
        assert (said.code, f"{file} exists, and it is no report" in said.err) == (2, True)
        assert file.read_text() == "years of work"
        file.write_text(kept)


def test_shrink_and_average_replace_their_own_with_force(tmp_path, metaglot, small_recipe):
    for seed in (0, 1):
        run = ("pretrain", small_recipe, "training.steps=1", f"seed={seed}", "--out", f"run{seed}", "-q")
        assert metaglot(*run).code == 0
    whole = listed(tmp_path / "run0")
    for make in (
        lambda out, **force: shrink("run0", out, megabytes=0.5, **force),
        lambda out, **force: average(["run0", "run1"], out, **force),
    ):
        make("out")
        with pytest.raises(MetaglotError, match="out exists"):
            make("out")
        make("out", force=True)
        with pytest.raises(MetaglotError, match=r"metaglot did not write .*run0/"):
            make("run0", force=True)
        assert listed(tmp_path / "run0") == whole
        shutil.rmtree("out")
