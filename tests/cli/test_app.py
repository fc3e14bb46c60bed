"""The command line: help, the whole path on small files, exit codes, and mistakes said in a line."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from metaglot.adaptation import EFFORTS
from metaglot.cli.app import app


def commands(command: object = None, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    command = command or typer.main.get_command(app)
    inner = getattr(command, "commands", {})
    return [path, *(one for name, sub in inner.items() for one in commands(sub, (*path, name)))]


def test_every_command_is_known():
    expected = {(), ("demo",), ("pretrain",), ("adapt",), ("predict",), ("evaluate",), ("data",)}
    assert expected | {("data", name) for name in ("list", "fetch", "inspect")} <= set(commands())


@pytest.mark.parametrize("path", commands(), ids=" ".join)
def test_help(metaglot, path):
    said = metaglot(*path, "--help")
    assert said.code == 0
    words = " ".join(said.out.split())
    assert "Usage:" in words
    begin = "Begin with" if not path else "Example"
    assert f"metaglot {' '.join(path)}".strip() in words.partition(begin)[2]
    assert metaglot(*path, "-h").out == said.out


HEAVY = ("rich", "torch", "pyarrow", "numpy", "transformers", "sklearn", "yaml")
HELP_PAGES = """
import contextlib, io, sys
from metaglot.cli.app import app
for path in {paths}:
    with contextlib.redirect_stdout(io.StringIO()) as page, contextlib.suppress(SystemExit):
        app([*path, "--help"])
    assert "Usage:" in page.getvalue(), path
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""


def test_help_imports_nothing_heavy():
    """In a process of its own, where nothing is imported yet: the pages of all commands."""
    code = HELP_PAGES.format(paths=commands())
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = done.stdout.split()
    assert "typer" in imported
    assert [name for name in HEAVY if name in imported] == []


def test_help_shows_defaults_choices_and_whole_examples(metaglot, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")  # narrower than the examples, which must not be broken
    page = metaglot("adapt", "--help").out
    assert "\n    metaglot adapt runs/english tickets.jsonl --columns text=body,label=team --effort thorough" in page
    page_of_edit = metaglot("edit", "--help").out
    assert page_of_edit.index("Examples are counted") < page_of_edit.index("Examples:\n    metaglot edit my-model")
    words = " ".join(page.split())
    assert "[default: 0]" in words
    assert "<both|first|second|apart>" in words
    assert "test it on held-out tasks, and save it." in " ".join(metaglot("--help").out.split())


@pytest.mark.parametrize("path", [(), ("data",)], ids=" ".join)
def test_no_arguments_show_the_page_of_help(metaglot, path):
    shown = metaglot(*path)
    assert shown.code == 2
    assert shown.err.rstrip() == metaglot(*path, "--help").out.rstrip()


def test_version(metaglot):
    from metaglot import __version__

    assert metaglot("--version") == (0, f"metaglot {__version__}\n", "")


def test_adapt_then_predict(metaglot, tiny, examples, tmp_path):
    said = metaglot("adapt", tiny, examples, "--out", tmp_path / "mine", "--effort", "instant")
    assert said.code == 0
    assert "15 examples of 3 classes" in said.out
    assert "builtin:tiny: " in said.err
    said = metaglot("predict", tmp_path / "mine", "--text", "refund the invoice", "--text", "courier and\nshipping")
    lines = [line.split("\t") for line in said.out.splitlines()]
    assert [line[0] for line in lines] == ["billing", "delivery"]
    assert [line[2] for line in lines] == ["refund the invoice", "courier and shipping"]
    assert all(1 / 3 < float(line[1]) <= 1 for line in lines)


@pytest.mark.parametrize("effort", ["instant", "fast"])
def test_as_json(metaglot, tiny, examples, tmp_path, effort, write_csv):
    out = tmp_path / "mine"
    said = metaglot("adapt", tiny, examples, "--out", out, "--effort", effort, "--json", "--seed", 3)
    assert (said.code, "examples of" in said.out, "fp32" in said.err) == (0, False, False)
    outcome = json.loads(said.out)
    assert outcome["labels"] == ["billing", "delivery", "technical"]
    assert (outcome["examples"], outcome["steps"], outcome["goal_met"]) == (15, EFFORTS[effort].steps, True)
    new = write_csv(tmp_path / "new.csv", 4, start=100)
    said = metaglot("predict", out, new, "--json")
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert len(rows) == 12
    for row in rows:
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert row["label"] == max(row["probabilities"], key=row["probabilities"].__getitem__)
    truth = [row["label"] for row in csv.DictReader(new.open())]
    assert sum(row["label"] == label for row, label in zip(rows, truth, strict=True)) >= 9


@pytest.mark.parametrize(("goal", "code"), [(0.05, 0), (1.0, 3)])
def test_a_goal(metaglot, tiny, tmp_path, goal, code):
    file = tmp_path / "hard.csv"  # the same texts under two labels: no effort can tell them apart
    texts = [f"{word} {i}" for i in range(3) for word in ("invoice", "parcel")]
    rows = [f"{text},{label}" for label in ("a", "b") for text in texts]
    file.write_text("text,label\n" + "\n".join(rows) + "\n")
    out = tmp_path / "m"
    said = metaglot("adapt", tiny, file, "--out", out, "--goal", goal, "--seconds", 0.1, "--json")
    outcome = json.loads(said.out)
    assert (said.code, outcome["goal_met"]) == (code, code == 0)
    assert (outcome["cross_validated_accuracy"] >= goal) == (code == 0)
    assert (out / "adapted.json").is_file()
    assert ("was not met" in said.err) == (code == 3)


def test_evaluate(metaglot, tiny, tmp_path, write_csv):
    tasks = [write_csv(tmp_path / f"{name}.csv", 12, start=start) for name, start in (("one", 0), ("two", 500))]
    options = (
        "--draws",
        2,
        "--queries",
        9,
        "--efforts",
        "instant",
        "--against",
        "tfidf,frozen",
        "--out",
        tmp_path / "r",
    )
    said = metaglot("evaluate", tiny, *tasks, "--shots", "1,2", *options)
    assert said.code == 0
    first = (tmp_path / "r" / "results.jsonl").read_text()
    rows = [json.loads(line) for line in first.splitlines()]
    assert len(rows) == 2 * 2 * 2 * 5  # tasks, shots, draws, methods
    assert {row["method"] for row in rows} == {"tfidf", "frozen-proto", "frozen-lr", "frozen-instant", "ours-instant"}
    assert all(0 <= row["metrics"]["accuracy"] <= 1 and row["queries"] == 9 for row in rows)
    table = (tmp_path / "r" / "table.md").read_text()
    assert "ours-instant" in table
    assert "±" in table
    page = (tmp_path / "r" / "report.html").read_text()
    assert "<html" in page
    assert "http-equiv" not in page.lower() or "refresh" not in page.lower()
    assert not [word for word in ("<script src", 'href="http', 'src="http') if word in page]
    assert "longer than" not in said.err
    long = tmp_path / "long.csv"
    long.write_text(
        "text,label\n" + "".join(f"{word} {'on and ' * 200}{i},{word}\n" for word in "ab" for i in range(5))
    )
    cut = metaglot("evaluate", tiny, long, "--shots", "1", *options[:-1], tmp_path / "long")
    assert "note: long: 100 % of the texts are longer than" in cut.err
    again = metaglot("evaluate", tiny, *tasks, "--shots", "1,2", *options, "--json")
    said = [json.loads(line) for line in again.out.splitlines()]
    assert said == [{**row, **row["metrics"]} for row in rows]  # timings too: nothing was done again
    more = metaglot("evaluate", tiny, *tasks, "--shots", "1,2,3", *options, "--quiet")
    assert (more.code, more.out) == (0, "")
    later = (tmp_path / "r" / "results.jsonl").read_text()
    assert later.startswith(first)
    assert len(later.splitlines()) == 60


def test_pretrain_then_adapt(metaglot, small_recipe, examples):
    said = metaglot("pretrain", small_recipe, "--out", "run", "--json", "training.lr=1e-3")
    assert said.code == 0
    outcome = json.loads(said.out)
    assert (outcome["outcome"], outcome["step"], outcome["out"]) == ("done", 4, "run")
    assert outcome["validation"]["step"] == 4
    folder = Path("run")
    assert {p.name for p in folder.iterdir()} == {
        "config.yaml",
        "model.json",
        "environment.json",
        "metrics.jsonl",
        "command.json",
        "checkpoints",
        "seen",
    }
    assert "lr: 0.001" in (folder / "config.yaml").read_text()
    assert metaglot("adapt", "run", examples, "--out", "mine", "-q").code == 0
    assert metaglot("predict", "mine", "--text", "the courier lost my parcel").code == 0
    assert json.loads(Path("mine/adapted.json").read_text())["provenance"]["meta_training"]["step"] == "step-4"


def test_resumed(metaglot, small_recipe):
    """The same recipe over the same folder only with --resume; another recipe never."""
    assert metaglot("pretrain", small_recipe, "--out", "run", "-q").code == 0
    said = metaglot("pretrain", small_recipe, "--out", "run")
    assert (said.code, said.out) == (2, "")
    assert "--resume" in said.err
    assert metaglot("pretrain", small_recipe, "--out", "run", "--resume", "--json").code == 0
    said = metaglot("pretrain", small_recipe, "seed=9", "--out", "run", "--resume")
    assert (said.code, "another recipe" in said.err) == (2, True)
    assert metaglot("pretrain", small_recipe, "seed=9", "--out", "run", "--force", "-q").code == 0
    assert "seed: 9" in Path("run/config.yaml").read_text()


def test_killed_before_anything_was_saved(metaglot, small_recipe):
    Path("run").mkdir()
    Path("run/.model.json.part").write_text("{")
    assert metaglot("pretrain", small_recipe, "--out", "run", "--resume", "-q").code == 0


@pytest.mark.parametrize("option", ["--resume", "--force"])
def test_a_folder_that_is_no_run(metaglot, small_recipe, option):
    for name in ("notes.txt", ".git"):
        folder = Path(f"other-{name}")
        folder.mkdir()
        (folder / name).write_text("years of work")
        said = metaglot("pretrain", small_recipe, "--out", folder, option)
        assert (said.code, "not a run" in said.err) == (2, True)
        assert (folder / name).read_text() == "years of work"


def test_data_that_changed_under_a_run(metaglot, small_recipe, write_csv):
    assert metaglot("pretrain", small_recipe, "--out", "run", "-q").code == 0
    write_csv(Path("train.csv"), 9)
    said = metaglot("pretrain", small_recipe, "--out", "run", "--resume")
    assert (said.code, "data differ from those that the run began with" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("overrides", "code", "outcome"),
    [
        (["goal.at_least=0.01"], 0, "goal"),
        (
            ["goal.at_least=1", "validation.episodes=1", "data.validation=[{path: same.csv, min_per_class: 4}]"],
            3,
            "budget",
        ),
        (["budget.cpu_minutes=1e-9"], 0, "done"),
    ],
)
def test_exit_codes_of_pretrain(metaglot, small_recipe, overrides, code, outcome):
    lines = [f"{word} {i},{label}" for label in "ab" for word in ("one", "two") for i in range(10)]
    Path("same.csv").write_text("text,label\n" + "\n".join(lines) + "\n")  # cannot be told apart
    said = metaglot("pretrain", small_recipe, *overrides, "--out", "run", "--json")
    assert (said.code, json.loads(said.out)["outcome"]) == (code, outcome)
    again = metaglot("pretrain", small_recipe, *overrides, "--out", "run", "--json", "--resume")
    assert (again.code, json.loads(again.out)["step"]) == (code, json.loads(said.out)["step"])


def test_data_commands(metaglot, examples):
    listed = json.loads(metaglot("data", "list", "--json").out)
    assert {one["name"] for one in listed["builtin"]} >= {"minilm", "tiny", "20newsgroups"}
    seen = json.loads(metaglot("data", "inspect", examples, "--json").out)
    assert seen["rows"] == 15


def test_help_needs_no_heavy_library() -> None:
    code = (
        "import sys, metaglot.cli.app; print(sorted({'torch', 'transformers', 'sklearn', 'numpy', 'pyarrow'} & set("
        "sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
