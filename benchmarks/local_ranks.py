"""Ranks of this machine for a benchmark, each a process of its own."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence


def outputs(arguments: Sequence[str], count: int) -> list[str]:
    """Run `python -m …` as so many ranks on a free port of the loopback, and return what each printed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **place, "RANK": str(rank), "GLOO_SOCKET_IFNAME": "lo"},
        )
        for rank in range(count)
    ]
    return [process.communicate()[0] for process in processes]
