"""One writer for each output folder: the second is told who writes there, and a killed holder holds nobody up."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from metaglot.data.cache import atomic_folder
from metaglot.data.locks import holder_of, writing
from metaglot.errors import MetaglotError

HOLD = """
import sys, time
from pathlib import Path
from metaglot.data.locks import writing
with writing(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of a folder until its standard input ends."""
    begun: list[subprocess.Popen[str]] = []

    def begin(folder: Path) -> subprocess.Popen[str]:
        arguments = [sys.executable, "-c", HOLD, str(folder)]
        process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        begun.append(process)
        return process

    yield begin
    for process in begun:
        process.communicate(timeout=20)


def test_the_second_is_told_who_writes(holder, tmp_path):
    process = holder(tmp_path / "out")
    who = rf"out: process {process.pid} \(`-c .*out`\), since 20\d\d-.* is writing"
    with pytest.raises(MetaglotError, match=who), writing(tmp_path / "out"):
        raise AssertionError("two writers")
    process.communicate("", timeout=20)
    with writing(tmp_path / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_killed_holder_holds_nobody_up(holder, tmp_path):
    process = holder(tmp_path / "out")
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    assert (tmp_path / ".out.lock").is_file()
    with writing(tmp_path / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_the_folder_it_leads_to(holder, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    holder(tmp_path / "real")
    with pytest.raises(MetaglotError, match="is writing there"), writing(tmp_path / "link"):
        pass


def test_threads_of_one_process_exclude_each_other_and_a_block_within_does_not(tmp_path):
    found: list[str] = []

    def other() -> None:
        try:
            with writing(tmp_path / "out"):
                found.append("held")
        except MetaglotError as error:
            found.append(str(error))

    with writing(tmp_path / "out"), writing(tmp_path / "out"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(found) == 1
    assert f"process {os.getpid()} " in found[0]


def test_a_folder_that_comes_to_nothing_leaves_no_parents(tmp_path):
    with writing(tmp_path / "a" / "b" / "out"):
        assert (tmp_path / "a" / "b").is_dir()
    assert list(tmp_path.iterdir()) == []


COMMANDS = {
    "adapt": ["adapt", "builtin:tiny", "examples.csv"],
    "adapt by names": ["adapt", "builtin:tiny", "--labels", "billing,delivery"],
    "evaluate": ["evaluate", "builtin:tiny", "examples.csv", "--shots", "1"],
    "compare": ["compare", "builtin:tiny", "builtin:mini", "examples.csv", "--shots", "1"],
    "bench": ["bench", "builtin:tiny", "examples.csv", "--shots", "1"],
    "pretrain": ["pretrain", "small.yaml"],
    "shrink": ["shrink", "run"],
    "average": ["average", "run", "run"],
    "demo": ["demo"],
}


@pytest.fixture
def desk(small_recipe, write_csv, tmp_path) -> Path:
    """Stand in a folder with examples, a recipe, and a run as far as commands look at first."""
    write_csv(tmp_path / "examples.csv", 4)
    step = tmp_path / "run" / "checkpoints" / "step-1"
    step.mkdir(parents=True)
    (tmp_path / "run" / "model.json").write_text('{"base": "builtin:tiny", "max_length": 8}')
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_writes_a_folder(command, holder, metaglot, desk, tmp_path):
    process = holder(tmp_path / "out")
    said = metaglot(*COMMANDS[command], "--out", "out")
    assert said.code == 2, said
    assert f"process {process.pid} " in said.err
    assert not (tmp_path / "out").exists()


def test_a_name_that_is_not_utf8_is_refused_before_work(desk, metaglot, tmp_path):
    odd = os.fsdecode(b"caf\xe9")
    for arguments in COMMANDS.values():
        said = metaglot(*arguments, "--out", odd)
        assert (said.code, "not UTF-8" in said.err) == (2, True), said
    assert not [path for path in tmp_path.iterdir() if "caf" in str(path)]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_who_may_read_is_as_the_umask_has_it(umask, tmp_path):
    import torch
    from safetensors.torch import save_file

    from metaglot.data.modes import usual_mode

    before = os.umask(umask)
    try:
        with atomic_folder(tmp_path / "folder") as part:
            save_file({"a": torch.zeros(2)}, part / "x.safetensors")
        with usual_mode(tmp_path / "y.safetensors") as file:
            save_file({"a": torch.zeros(2)}, file)
    finally:
        os.umask(before)
    for file in (tmp_path / "folder" / "x.safetensors", tmp_path / "y.safetensors"):
        assert file.stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such locks")
def test_who_looks_is_no_writer_and_holds_no_writer_up(tmp_path):
    """`metaglot runs list` has the lock for a moment: neither another look nor a run that begins takes it for a run."""
    import fcntl

    file = tmp_path / ".out.lock"
    file.write_text('{"pid": 1, "command": "long ago", "since": "then"}')
    descriptor = os.open(file, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    assert holder_of(tmp_path / "out") is None
    threading.Timer(0.01, os.close, [descriptor]).start()
    with writing(tmp_path / "out"):
        assert str(os.getpid()) in (holder_of(tmp_path / "out") or "")


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such locks")
def test_files_of_locks_that_come_and_go_are_no_error(tmp_path, monkeypatch):
    """The file of the lock goes between two looks at it; half a second of three writers had met that."""
    monkeypatch.setattr("metaglot.data.locks.PAUSE", 0.0)
    end, held, others = time.monotonic() + 0.7, [0], list[str]()

    def write() -> None:
        while time.monotonic() < end:
            try:
                with writing(tmp_path / "a" / "b" / "out"):
                    held[0] += 1
            except (MetaglotError, OSError) as error:
                others.append(str(error))

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held[0] > 3
    assert [error for error in others if "is writing there" not in error] == []
