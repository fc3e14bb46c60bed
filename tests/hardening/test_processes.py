"""Twenty mistakes as real processes: exit code 2, one message, and torch is not even imported."""

import os
import subprocess
import sys

import pytest

WRAPPED = (
    "import atexit, sys\n"
    "atexit.register(lambda: print('torch' in sys.modules, 'transformers' in sys.modules))\n"
    "from metaglot.cli.app import main\n"
    "main()\n"
)
MODEL = ["adapt", "builtin:tiny"]
CASES = {
    "no file": [*MODEL, "gone.csv", "--out", "x"],
    "empty file": [*MODEL, "empty.csv", "--out", "x"],
    "one class": [*MODEL, "one.csv", "--out", "x"],
    "unlabelled": [*MODEL, "gaps.csv", "--out", "x"],
    "a pipe": [*MODEL, "pipe.csv", "--out", "x"],
    "a device": [*MODEL, "zero.csv", "--out", "x"],
    "a bomb": [*MODEL, "cut.csv.gz", "--out", "x"],
    "effort": [*MODEL, "good.csv", "--out", "x", "--effort", "quick"],
    "goal": [*MODEL, "good.csv", "--out", "x", "--goal", "2"],
    "taken": [*MODEL, "good.csv", "--out", "taken", "--force"],
    "no model": ["adapt", "./gone", "good.csv", "--out", "x"],
    "pickled": ["adapt", "pickled", "good.csv", "--out", "x"],
    "no adaptation": ["predict", "taken", "--text", "a"],
    "shots": ["evaluate", "builtin:tiny", "good.csv", "--shots", "-4", "--out", "x"],
    "draws": ["evaluate", "builtin:tiny", "good.csv", "--draws", "0", "--out", "x"],
    "leave out": ["evaluate", "builtin:tiny", "good.csv", "--leave-out", "nobody", "--out", "x"],
    "unknown key": ["pretrain", "mine.yaml", "training.stpes=3", "--out", "x"],
    "a circle": ["pretrain", "circle.yaml", "--out", "x"],
    "no data": ["pretrain", "mine.yaml", "data.train=[gone.csv]", "--out", "x"],
    "inspect": ["data", "inspect", "twice.csv"],
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory, write_csv):
    folder = tmp_path_factory.mktemp("desk")
    write_csv(folder / "good.csv", 3)
    contents = {
        "empty.csv": "",
        "one.csv": "text,label\na,x\nb,x\n",
        "gaps.csv": "text,label\na,\nb,x\n",
        "twice.csv": "text,text\na,b\n",
        "mine.yaml": "data: {train: [good.csv]}\n",
        "circle.yaml": "data: &a {train: [*a]}\n",
        "taken/thesis.txt": "years of work",
        "pickled/config.json": "{}",
        "pickled/pytorch_model.bin": "",
    }
    for name, content in contents.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    (folder / "cut.csv.gz").write_bytes(b"\x1f\x8b\x08\x00")
    os.mkfifo(folder / "pipe.csv")
    os.symlink("/dev/zero", folder / "zero.csv")
    return folder


def test_they_are_twenty():
    assert len(CASES) == 20


@pytest.mark.parametrize("case", [pytest.param(c, marks=[] if c == "no file" else pytest.mark.slow) for c in CASES])
def test_a_real_process(case, desk, tally):
    tally["tried"] += 1
    tally["mishandled"] += 1
    before = sorted(desk.rglob("*"))
    command = [sys.executable, "-c", WRAPPED, *CASES[case]]
    done = subprocess.run(command, capture_output=True, text=True, cwd=desk, check=False, timeout=60)
    assert done.returncode == 2, done.stderr
    assert done.stdout == "False False\n"
    assert done.stderr.splitlines()[-1].startswith("metaglot: ")
    assert len(done.stderr.splitlines()) == 1
    assert sorted(desk.rglob("*")) == before
    tally["mishandled"] -= 1
