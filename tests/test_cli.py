"""The command line: help, the whole path on small files, exit codes, and mistakes said in a line."""

import csv
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import typer

from metaglot.adaptation import EFFORTS
from metaglot.cli import app, main
from metaglot.data.builtin import fetch
from metaglot.errors import MetaglotError

WORDS = {
    "billing": ["invoice", "refund", "payment", "receipt", "charge"],
    "technical": ["crash", "error", "bug", "screen", "login"],
    "delivery": ["parcel", "courier", "shipping", "package", "tracking"],
}


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def metaglot(monkeypatch, capsys) -> Iterator[Callable[..., Said]]:
    """Return a function that calls the command in this process, as the console script does."""
    before = dict(os.environ)
    handler = signal.getsignal(signal.SIGINT)  # the command ignores interrupts once its outcome stands

    def call(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["metaglot", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        signal.signal(signal.SIGINT, handler)
        return Said(int(ended.value.code or 0), *capsys.readouterr())

    yield call
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def tiny() -> str:
    try:
        fetch("tiny")
    except MetaglotError as error:
        pytest.skip(f"builtin:tiny cannot be had: {error}")
    return "builtin:tiny"


def write_csv(path: Path, per_class: int, *, start: int = 0, header: tuple[str, str] = ("text", "label")) -> Path:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(header)
        for label, words in WORDS.items():
            for i in range(per_class):
                rows.writerow([f"{words[i % 5]} and {words[(i + 1) % 5]}, number {start + i}", label])
    return path


@pytest.fixture
def examples(tmp_path) -> Path:
    return write_csv(tmp_path / "examples.csv", 5)


RECIPE = """
name: small
threads: 1
model: {name: "builtin:tiny", max_length: 16, precision: fp32}
data:
  train: [{path: train.csv, min_per_class: 4}]
  validation: [{path: held.csv, min_per_class: 4}]
episodes: {ways: [2, 3], shots: [1, 2], queries: 2}
training: {steps: 4, meta_batch: 1, warmup: 0, save_every: 2}
validation: {every: 2, episodes: 3, shots: 2, queries: 2, ways: [2, 3]}
"""


@pytest.fixture
def recipe(tmp_path, monkeypatch, tiny) -> Path:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "train.csv", 8)
    write_csv(tmp_path / "held.csv", 8, start=100)
    (tmp_path / "small.yaml").write_text(RECIPE)
    return tmp_path / "small.yaml"


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


def test_help_is_quick():
    """A real process: at most half a CPU second, since nothing heavy is imported."""
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-m", "metaglot.cli", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
        if spent[-1] <= 0.5:
            break
    assert b"evaluate" in done.stdout
    assert min(spent) <= 0.5, spent


def test_version(metaglot):
    from metaglot import __version__

    assert metaglot("--version") == (0, f"metaglot {__version__}\n", "")


def test_a_mistake_in_a_real_process(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "metaglot.cli", "adapt", "builtin:tiny", "no.csv", "--out", "x"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "metaglot: no.csv: no such file.\n"
    assert done.stdout == ""


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
def test_as_json(metaglot, tiny, examples, tmp_path, effort):
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


def test_columns_of_ones_own(metaglot, tiny, tmp_path):
    file = write_csv(tmp_path / "tickets.csv", 3, header=("body", "team"))
    columns = ("--columns", "text=body,label=team")
    assert metaglot("adapt", tiny, file, *columns, "--out", tmp_path / "m", "--effort", "instant", "-q").code == 0
    said = metaglot("predict", tmp_path / "m", file, "--columns", "text=body")
    assert len(said.out.splitlines()) == 9


def test_pairs(metaglot, tiny, tmp_path):
    lines = ["a dog,an animal,yes", "a dog,a stone,no", "a cat,an animal,yes", "a cat,a cup,no"]
    (tmp_path / "pairs.csv").write_text("text,text_pair,label\n" + "\n".join(lines) + "\n")
    out = tmp_path / "m"
    assert metaglot("adapt", tiny, tmp_path / "pairs.csv", "--out", out, "--effort", "instant", "-q").out == ""
    assert len(metaglot("predict", out, tmp_path / "pairs.csv").out.splitlines()) == 4


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


def test_evaluate(metaglot, tiny, tmp_path):
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
    assert len(rows) == 2 * 2 * 2 * 4  # tasks, shots, draws, methods
    assert {row["method"] for row in rows} == {"tfidf", "frozen-proto", "frozen-lr", "ours-instant"}
    assert all(0 <= row["accuracy"] <= 1 and row["queries"] == 9 for row in rows)
    table = (tmp_path / "r" / "table.md").read_text()
    assert "ours-instant" in table
    assert "±" in table
    page = (tmp_path / "r" / "report.html").read_text()
    assert "<html" in page
    assert "http-equiv" not in page.lower() or "refresh" not in page.lower()
    assert not [word for word in ("<script src", 'href="http', 'src="http') if word in page]
    again = metaglot("evaluate", tiny, *tasks, "--shots", "1,2", *options, "--json")
    assert again.out == first  # timings too: nothing was done again
    more = metaglot("evaluate", tiny, *tasks, "--shots", "1,2,3", *options, "--quiet")
    assert (more.code, more.out) == (0, "")
    later = (tmp_path / "r" / "results.jsonl").read_text()
    assert later.startswith(first)
    assert len(later.splitlines()) == 48


def test_pretrain_then_adapt(metaglot, recipe, examples):
    said = metaglot("pretrain", recipe, "--out", "run", "--json", "training.lr=1e-3")
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
        "checkpoints",
        "seen",
    }
    assert "lr: 0.001" in (folder / "config.yaml").read_text()
    assert metaglot("adapt", "run", examples, "--out", "mine", "-q").code == 0
    assert metaglot("predict", "mine", "--text", "the courier lost my parcel").code == 0
    assert json.loads(Path("mine/adapted.json").read_text())["provenance"]["meta_training"]["step"] == "step-4"


def test_resumed(metaglot, recipe):
    """The same recipe over the same folder only with --resume; another recipe never."""
    assert metaglot("pretrain", recipe, "--out", "run", "-q").code == 0
    said = metaglot("pretrain", recipe, "--out", "run")
    assert (said.code, said.out) == (2, "")
    assert "--resume" in said.err
    assert metaglot("pretrain", recipe, "--out", "run", "--resume", "--json").code == 0
    said = metaglot("pretrain", recipe, "seed=9", "--out", "run", "--resume")
    assert (said.code, "another recipe" in said.err) == (2, True)
    assert metaglot("pretrain", recipe, "seed=9", "--out", "run", "--force", "-q").code == 0
    assert "seed: 9" in Path("run/config.yaml").read_text()


def test_killed_before_anything_was_saved(metaglot, recipe):
    Path("run").mkdir()
    Path("run/.model.json.part").write_text("{")
    assert metaglot("pretrain", recipe, "--out", "run", "--resume", "-q").code == 0


@pytest.mark.parametrize("option", ["--resume", "--force"])
def test_a_folder_that_is_no_run(metaglot, recipe, option):
    for name in ("notes.txt", ".git"):
        folder = Path(f"other-{name}")
        folder.mkdir()
        (folder / name).write_text("years of work")
        said = metaglot("pretrain", recipe, "--out", folder, option)
        assert (said.code, "not a run" in said.err) == (2, True)
        assert (folder / name).read_text() == "years of work"


def test_data_that_changed_under_a_run(metaglot, recipe):
    assert metaglot("pretrain", recipe, "--out", "run", "-q").code == 0
    write_csv(Path("train.csv"), 9)
    said = metaglot("pretrain", recipe, "--out", "run", "--resume")
    assert (said.code, "data are not what the run began with" in said.err) == (2, True)


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
def test_exit_codes_of_pretrain(metaglot, recipe, overrides, code, outcome):
    lines = [f"{word} {i},{label}" for label in "ab" for word in ("one", "two") for i in range(10)]
    Path("same.csv").write_text("text,label\n" + "\n".join(lines) + "\n")  # cannot be told apart
    said = metaglot("pretrain", recipe, *overrides, "--out", "run", "--json")
    assert (said.code, json.loads(said.out)["outcome"]) == (code, outcome)
    again = metaglot("pretrain", recipe, *overrides, "--out", "run", "--json", "--resume")
    assert (again.code, json.loads(again.out)["step"]) == (code, json.loads(said.out)["step"])


def test_data_commands(metaglot, examples):
    listed = json.loads(metaglot("data", "list", "--json").out)
    assert {one["name"] for one in listed["builtin"]} >= {"minilm", "tiny", "20newsgroups"}
    seen = json.loads(metaglot("data", "inspect", examples, "--json").out)
    assert seen["rows"] == 15


MISTAKES = {
    "no command": (["adpt"], "adpt"),
    "no such option": (["adapt", "m", "examples.csv", "--out", "x", "--efort", "fast"], "--efort"),
    "no model": (
        ["adapt", "builtin:tinny", "examples.csv", "--out", "x"],
        "no built-in 'tinny'; there are minilm, tiny",
    ),
    "no folder": (["adapt", "./nowhere", "examples.csv", "--out", "x"], "nowhere: no such model folder"),
    "no file": (["adapt", "builtin:tiny", "example.csv", "--out", "x"], "did you mean 'examples.csv'"),
    "no label column": (["adapt", "builtin:tiny", "plain.csv", "--out", "x"], "no column called label"),
    "a label missing": (["adapt", "builtin:tiny", "gaps.csv", "--out", "x"], "example number 2 has no label (1 such)"),
    "one class": (["adapt", "builtin:tiny", "one.csv", "--out", "x"], "at least two classes"),
    "unknown column": (["adapt", "builtin:tiny", "examples.csv", "--columns", "label=topic", "--out", "x"], "topic"),
    "unknown effort": (["adapt", "builtin:tiny", "examples.csv", "--effort", "quick", "--out", "x"], "unknown effort"),
    "goal too high": (["adapt", "builtin:tiny", "examples.csv", "--goal", "90", "--out", "x"], "--goal 90.0: expected"),
    "goal nan": (["adapt", "builtin:tiny", "examples.csv", "--goal", "nan", "--out", "x"], "--goal nan: expected"),
    "out taken": (["adapt", "builtin:tiny", "examples.csv", "--out", "taken"], "taken exists and holds something else"),
    "no adaptation": (["predict", "taken", "--text", "a"], "taken: no adapted.json there"),
    "nothing to predict": (["predict", "taken"], "give either --text (once or more) or a file"),
    "twice to predict": (["predict", "taken", "examples.csv", "--text", "a"], "give either --text"),
    "unknown recipe": (["pretrain", "englsh"], "no such recipe; recipes of the package: "),
    "unknown key": (["pretrain", "small.yaml", "training.stpes=3"], "(did you mean 'steps'?)"),
    "unknown algorithm": (["pretrain", "small.yaml", "algorithm.name=mamml"], "unknown algorithm 'mamml'"),
    "unknown option": (
        ["pretrain", "small.yaml", "algorithm={name: maml, options: {stps: 2}}"],
        "unknown option 'stps'",
    ),
    "unknown scope": (
        ["pretrain", "small.yaml", "algorithm={name: maml, options: {scope: [layers.9.*]}}"],
        "the pattern 'layers.9.*' matches no parameter",
    ),
    "unknown freeze": (
        ["pretrain", "small.yaml", "training.freeze=[embedings.*]"],
        "'embedings.*' matches no parameter",
    ),
    "no validation": (
        ["pretrain", "small.yaml", "data.validation=[]", "goal.at_least=0.5"],
        "data.validation must name",
    ),
    "no data": (["pretrain", "small.yaml", "data.train=[nowhere.csv]"], "nowhere.csv: no such file"),
    "out is a file": (["pretrain", "small.yaml", "--out", "examples.csv"], "that is a file"),
    "out is another": (["pretrain", "small.yaml", "--out", "taken"], "it is not empty"),
    "no task": (["evaluate", "builtin:tiny", "example.csv", "--out", "x"], "did you mean 'examples.csv'"),
    "shots": (["evaluate", "builtin:tiny", "examples.csv", "--shots", "4,x", "--out", "x"], "--shots 4,x: expected"),
    "no draws": (
        ["evaluate", "builtin:tiny", "examples.csv", "--shots", "1", "--draws", "0", "--out", "x"],
        "1 or more",
    ),
    "unknown baseline": (
        ["evaluate", "builtin:tiny", "examples.csv", "--shots", "1", "--against", "tfidff", "--out", "x"],
        "tfidf",
    ),
    "unknown effort to evaluate": (
        ["evaluate", "builtin:tiny", "examples.csv", "--shots", "1", "--efforts", "quick", "--out", "x"],
        "quick",
    ),
    "leave out": (
        ["evaluate", "builtin:tiny", "examples.csv", "--leave-out", "other", "--out", "x"],
        "--leave-out other: no such task",
    ),
    "no set": (["data", "fetch", "20newsgroup"], "no built-in '20newsgroup'"),
    "no file to inspect": (["data", "inspect", "nowhere.csv"], "nowhere.csv: no such file"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes(metaglot, recipe, examples, kind):
    Path("plain.csv").write_text("text\na\nb\n")
    Path("gaps.csv").write_text("text,label\na,x\nb,\nc,y\n")
    Path("one.csv").write_text("text,label\na,x\nb,x\n")
    Path("taken").mkdir()
    Path("taken/thesis.txt").write_text("years of work")
    arguments, expected = MISTAKES[kind]
    said = metaglot(*arguments)
    assert said.code == 2
    assert said.out == ""
    assert "Traceback" not in said.err
    assert " ".join(expected.split()) in " ".join(said.err.replace("│", " ").split())
    if kind not in {"no command", "no such option"}:
        assert said.err.splitlines()[-1].startswith("metaglot: ")
    assert Path("taken/thesis.txt").read_text() == "years of work"
    assert not Path("x").exists()


def test_mistakes_are_many():
    assert len(MISTAKES) >= 30
