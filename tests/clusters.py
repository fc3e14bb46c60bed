"""A Ray cluster of two nodes on this machine, of one processor each, for tests."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

# Without a token, since a head takes one that it finds in the home, and a node that joins does not look for it.
ENV = {**os.environ, "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}


class Cluster(NamedTuple):
    """Where it answers, and the process of each node; who kills that kills the node."""

    address: str
    nodes: list[int]

    def busy(self, node: int, task: str) -> bool:
        """Whether a process of the node runs this task, or has just done so."""
        rows = [line.split(maxsplit=2) for line in _processes()]
        return any(int(parent) == self.nodes[node] and f"ray::{task}" in title for _, parent, title in rows)


@contextmanager
def two_nodes() -> Generator[Cluster]:
    """Begin the two nodes, and end every process of theirs with the block."""
    folder = Path(tempfile.mkdtemp(prefix="ray"))  # a short name: sockets are in it
    port, client = _free_ports(2)
    options = ["--num-cpus=1", "--object-store-memory=80000000", "--disable-usage-stats"]
    head = ["--head", f"--port={port}", f"--ray-client-server-port={client}", "--include-dashboard=false"]
    try:
        _start(*head, f"--temp-dir={folder}", *options)
        first = _raylets(folder)
        _start(f"--address=127.0.0.1:{port}", *options)
        yield Cluster(f"127.0.0.1:{port}", first + [one for one in _raylets(folder) if one not in first])
    finally:
        while left := [int(line.split()[0]) for line in _processes() if str(folder) in line]:
            for one in left:
                _kill(one)
            time.sleep(0.1)
        shutil.rmtree(folder, ignore_errors=True)


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until a condition holds; fail after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def _start(*options: str) -> None:
    command = [str(Path(sys.executable).with_name("ray")), "start", *options]
    done = subprocess.run(command, env=ENV, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def _raylets(folder: Path) -> list[int]:
    return [int(line.split()[0]) for line in _processes() if "/raylet/raylet " in line and str(folder) in line]


def _processes() -> list[str]:
    """The lines "number, number of the parent, command" of all processes."""
    done = subprocess.run(["ps", "-eo", "pid,ppid,args", "-ww"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines()[1:] if "<defunct>" not in line]


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
