"""A server as a process of its own, on this machine alone, that is killed and begun again at the same port."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from metaglot.serving.store import tokens
from metaglot.serving.store.store import open_tokens

HOST = "127.0.0.1"


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as one:
        one.bind((HOST, 0))
        return one.getsockname()[1]


class SoakedServer:
    """`metaglot serve` in a folder."""

    def __init__(
        self,
        model: str,
        folder: Path,
        *,
        limits: Sequence[str] = (),
        database: str | None = None,
        worker: str = "process",
        log: Path | None = None,
    ) -> None:
        self.folder, self.database, self.port = folder / "store", database, free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.log = log or folder / "log"
        options = [part for one in limits for part in ("--limit", one)]
        place = ["--store", str(self.folder), "--port", str(self.port), "--host", HOST, "--worker", worker]
        self.command = [sys.executable, "-m", "metaglot", "serve", "run", model, *place, *options]
        self.process: subprocess.Popen[bytes] | None = None

    def tokens(self, tenants: Sequence[str]) -> list[str]:
        """Return a new token of each tenant."""
        with open_tokens(self.folder, self.database) as database, database.write() as session:
            return [tokens.add(session, tenant).secret for tenant in tenants]

    def start(self, seconds: float = 180) -> None:
        """Begin it, and wait until it answers."""
        own = {} if self.database is None else {"METAGLOT_DATABASE": self.database}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stderr=log, stdout=log, env={**os.environ, **own})
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5).is_success:
                    return
            except httpx.TransportError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"the server did not begin: {self.log.read_text('utf-8')[-2000:]}")

    def kill(self) -> None:
        """End it at once, as SIGKILL does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> int:
        """End it as a supervisor does, and return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)
