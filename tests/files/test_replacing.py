"""A kill at any moment of a replacement leaves the old folder or the new one, whole."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLED = """
import os, signal, sys
from pathlib import Path
from metaglot.data import replacing

folder, number, exchange = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "exchange"
if not exchange:
    replacing.exchanged = lambda one, other: False  # as on a system without it
met = 0
WATCHED = ("os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "ctypes.call_function", "ctypes.dlsym")


def count(event, arguments):
    global met
    if event in WATCHED:
        met += 1
        if met > number:
            os.kill(os.getpid(), signal.SIGKILL)


(folder / "new").mkdir()
for file in ("a", "b"):
    (folder / "new" / file).write_text("new")
sys.addaudithook(count)
replacing.replace_folder(folder / "new", folder / "target")
"""


@pytest.mark.parametrize("way", ["exchange", "renames"])
def test_a_kill_at_each_step(way, tmp_path):
    """Every call to the system but the first is one more case, until the replacement ends by itself."""
    from metaglot.data.replacing import recovered

    seen: list[str] = []
    for number in range(40):
        folder = tmp_path / str(number)
        (folder / "target").mkdir(parents=True)
        for file in ("a", "b"):
            (folder / "target" / file).write_text("old")
        ended = subprocess.run([sys.executable, "-c", KILLED, folder, str(number), way], check=False)
        target = recovered(folder / "target")
        held = {file.name: file.read_text() for file in target.iterdir()}
        assert held in ({"a": "old", "b": "old"}, {"a": "new", "b": "new"}), (number, held)
        seen.append(held["a"])
        if ended.returncode == 0:
            break
        assert ended.returncode == -9
    else:
        raise AssertionError("it never ended")
    assert seen[0] == "old"
    assert seen[-1] == "new"
    assert len(seen) > 3
    assert sorted(path.name for path in folder.iterdir()) == ["target"]


def test_an_adaptation_under_its_hidden_name_is_found(tmp_path, tiny, examples, metaglot):
    """Where names cannot be exchanged, a kill between two renames leaves it there."""
    assert metaglot("adapt", tiny, examples, "--out", tmp_path / "m", "--effort", "instant", "-q").code == 0
    os.rename(tmp_path / "m", tmp_path / ".m.before.part")
    said = metaglot("predict", tmp_path / "m", "--text", "refund the invoice")
    assert (said.code, said.out.split("\t")[0]) == (0, "billing")
    os.rename(tmp_path / "m", tmp_path / ".m.before.part")
    again = ("adapt", tiny, examples, "--out", tmp_path / "m", "--effort", "instant", "-q")
    assert metaglot(*again).code == 2, "an earlier adaptation is there, and there is no --force"
    assert metaglot(*again, "--force").code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["examples.csv", "m"]


def test_saved_again_beside_nothing_else(tmp_path, tiny, examples, metaglot):
    for _ in range(2):
        said = metaglot("adapt", tiny, examples, "--out", tmp_path / "m", "--effort", "instant", "-q", "--force")
        assert said.code == 0, said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["examples.csv", "m"]
    assert {Path(p).stat().st_mode & 0o777 for p in (tmp_path / "m").iterdir()} == {0o666 & ~_umask()}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
