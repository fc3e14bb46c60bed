"""A file of the cache is built once, whoever wants it at once; a lock that a killed builder left holds nobody up."""

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from metaglot.data.arrays import cached_arrays
from metaglot.data.building import building

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has no such locks")
CONTEXT = multiprocessing.get_context("fork") if sys.platform != "win32" else None


def test_three_processes_build_once(tmp_path, monkeypatch):
    monkeypatch.setenv("METAGLOT_CACHE", str(tmp_path / "cache"))

    def make(put):
        with (tmp_path / "built").open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.2)  # so that the others come meanwhile
        put("numbers", np.arange(5))

    def want():
        assert cached_arrays("made-up", "key", make)["numbers"].tolist() == [0, 1, 2, 3, 4]

    wanting = [CONTEXT.Process(target=want) for _ in range(3)]
    for one in wanting:
        one.start()
    for one in wanting:
        one.join(60)
    assert [one.exitcode for one in wanting] == [0, 0, 0]
    assert len((tmp_path / "built").read_text().splitlines()) == 1
    assert os.listdir(tmp_path / "cache" / "made-up") == ["key.arrow"]


def test_a_killed_builder_holds_nobody_up(tmp_path):
    target = tmp_path / "file"

    def build():
        with building(target):
            (tmp_path / "begun").touch()
            time.sleep(60)

    builder = CONTEXT.Process(target=build)
    builder.start()
    while not (tmp_path / "begun").exists():
        time.sleep(0.01)
    os.kill(builder.pid, signal.SIGKILL)
    builder.join(60)
    assert (tmp_path / ".file.lock").is_file()
    with building(target), building(tmp_path / "another"):
        pass
    assert os.listdir(tmp_path) == ["begun"]


@pytest.mark.skipif(sys.platform != "linux", reason="it asks /proc")
def test_a_suspended_builder_holds_nobody_up(tmp_path):
    target = tmp_path / "file"

    def build():
        with building(target):
            os.kill(os.getpid(), signal.SIGSTOP)

    builder = CONTEXT.Process(target=build)
    builder.start()
    os.waitid(os.P_PID, builder.pid, os.WSTOPPED | os.WNOWAIT)
    with building(target):
        pass
    os.kill(builder.pid, signal.SIGCONT)
    builder.join(60)
    assert builder.exitcode == 0
    assert not os.listdir(tmp_path)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_where_nothing_can_be_written_nobody_waits(tmp_path):
    tmp_path.chmod(0o500)
    with building(tmp_path / "file"):
        pass


def test_a_place_that_is_a_file_is_no_place_for_a_lock(tmp_path):
    (tmp_path / "file").touch()
    with building(Path(tmp_path, "file", "inner")):
        pass
