"""Mistakes on the command line: a line that names the thing and the way out, exit code 2, nothing touched."""

import subprocess
import sys
from pathlib import Path

import pytest


def test_a_mistake_in_a_real_process(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "metaglot", "adapt", "builtin:tiny", "no.csv", "--out", "x"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "metaglot: no.csv: no such file.\n"
    assert done.stdout == ""


MISTAKES = {
    "no command": (["adpt"], "adpt"),
    "no such option": (["adapt", "m", "examples.csv", "--out", "x", "--efort", "fast"], "--efort"),
    "no model": (
        ["adapt", "builtin:tinny", "examples.csv", "--out", "x"],
        "no built-in 'tinny' (did you mean builtin:tiny",
    ),
    "no model by its longer name": (
        ["adapt", "builtin:multilingual-e5-small", "examples.csv", "--out", "x"],
        "no built-in 'multilingual-e5-small' (did you mean builtin:multilingual or builtin:e5?)",
    ),
    "no folder": (["adapt", "./nowhere", "examples.csv", "--out", "x"], "nowhere: no such model folder"),
    "no file": (["adapt", "builtin:tiny", "example.csv", "--out", "x"], "did you mean 'examples.csv'"),
    "no label column": (["adapt", "builtin:tiny", "plain.csv", "--out", "x"], "no column called label"),
    "a label missing": (["adapt", "builtin:tiny", "gaps.csv", "--out", "x"], "example number 2 has no label (1 such)"),
    "one class": (["adapt", "builtin:tiny", "one.csv", "--out", "x"], "at least two classes"),
    "unknown column": (["adapt", "builtin:tiny", "examples.csv", "--columns", "label=topic", "--out", "x"], "topic"),
    "unknown effort": (["adapt", "builtin:tiny", "examples.csv", "--effort", "quick", "--out", "x"], "unknown effort"),
    "goal too high": (
        ["adapt", "builtin:tiny", "examples.csv", "--goal", "90", "--out", "x"],
        "--goal 90: expected accuracy above 0 and at most 1",
    ),
    "goal nan": (["adapt", "builtin:tiny", "examples.csv", "--goal", "nan", "--out", "x"], "--goal nan: expected"),
    "out taken": (
        ["adapt", "builtin:tiny", "examples.csv", "--out", "taken"],
        "taken exists and holds something else than an adaptation",
    ),
    "out is an adaptation": (["adapt", "builtin:tiny", "examples.csv", "--out", "saved"], "replace it with --force"),
    "out taken, forced": (
        ["adapt", "builtin:tiny", "examples.csv", "--out", "taken", "--force"],
        "holds something else than an adaptation",
    ),
    "seconds": (
        ["adapt", "builtin:tiny", "examples.csv", "--goal", "0.9", "--seconds", "nan", "--out", "x"],
        "--seconds",
    ),
    "effort beside goal": (
        ["adapt", "builtin:tiny", "examples.csv", "--goal", "0.9", "--effort", "fast", "--out", "x"],
        "--effort has no use beside --goal",
    ),
    "seconds without a bound": (
        ["adapt", "builtin:tiny", "examples.csv", "--seconds", "3", "--out", "x"],
        "--seconds has no use without --effort auto or --goal",
    ),
    "a data set as a model": (["adapt", "builtin:vader", "examples.csv", "--out", "x"], "is a data set, not a model"),
    "no adaptation": (["predict", "taken", "--text", "a"], "taken: no adapted.json there"),
    "nothing to predict": (["predict", "taken"], "give either --text (once or more) or a file"),
    "twice to predict": (["predict", "taken", "examples.csv", "--text", "a"], "give either --text"),
    "resume and force": (["pretrain", "small.yaml", "--out", "run", "--resume", "--force"], "give one of them"),
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
    "nothing left to learn": (
        ["pretrain", "small.yaml", "training.freeze=['*']", "algorithm={name: maml, options: {head: zeros}}"],
        "training.freeze: * leaves nothing to meta-learn",
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
        "--draws 0: expected 1 or more",
    ),
    "huge draws": (["evaluate", "builtin:tiny", "examples.csv", "--draws", "9" * 30, "--out", "x"], "at most 100,000"),
    "no threads": (["evaluate", "builtin:tiny", "examples.csv", "--threads", "-3", "--out", "x"], "--threads -3"),
    "no method": (
        ["evaluate", "builtin:tiny", "examples.csv", "--efforts", "", "--against", "", "--out", "x"],
        "name a method",
    ),
    "one task twice": (
        ["evaluate", "builtin:tiny", "examples.csv", "examples.csv", "--out", "x"],
        "two files are called examples",
    ),
    "results among something else": (
        ["evaluate", "builtin:tiny", "examples.csv", "--shots", "1", "--out", "taken"],
        "something else than results",
    ),
    "forced over what is no run": (
        ["pretrain", "small.yaml", "--out", "run", "--force"],
        "metaglot did not write run/config.yaml",
    ),
    "longer than the model reads": (["pretrain", "small.yaml", "model.max_length=600"], "takes at most 512"),
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
    "every task left out": (
        ["evaluate", "builtin:tiny", "examples.csv", "--leave-out", "examples", "--out", "x"],
        "--leave-out names every task",
    ),
    "no set": (["data", "fetch", "20newsgroup"], "no built-in '20newsgroup'"),
    "no column of the other": (
        ["data", "inspect", "examples.csv", "--against", "plain.csv", "--against-columns", "text=body"],
        "plain.csv, line 1: no column 'body'",
    ),
    "no file to inspect": (["data", "inspect", "nowhere.csv"], "nowhere.csv: no such file"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes(metaglot, small_recipe, examples, kind):
    Path("plain.csv").write_text("text\na\nb\n")
    Path("gaps.csv").write_text("text,label\na,x\nb,\nc,y\n")
    Path("one.csv").write_text("text,label\na,x\nb,x\n")
    Path("taken").mkdir()
    Path("taken/thesis.txt").write_text("years of work")
    Path("saved").mkdir()
    Path("saved/adapted.json").write_text("{}")
    Path("run").mkdir()
    Path("run/config.yaml").write_text("a month of work")
    arguments, expected = MISTAKES[kind]
    said = metaglot(*arguments)
    assert said.code == 2
    assert said.out == ""
    assert "Traceback" not in said.err
    assert " ".join(expected.split()) in " ".join(said.err.replace("│", " ").split())
    if kind not in {"no command", "no such option"}:
        assert said.err.splitlines()[-1].startswith("metaglot: ")
    assert Path("taken/thesis.txt").read_text() == "years of work"
    assert Path("run/config.yaml").read_text() == "a month of work"
    assert Path("saved/adapted.json").read_text() == "{}"
    assert not Path("x").exists()


def test_mistakes_are_many():
    assert len(MISTAKES) >= 30
