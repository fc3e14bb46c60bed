"""A worker in a process of its own: predictions have the model, the interpreter and the cores to themselves."""

import json
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, Any

from metaglot.errors import MetaglotError
from metaglot.serving.jobs.work import REQUEST, SERVER, Done, Order, OrderError

START_SECONDS = 300  # that loading a model may take


class ProcessWorker:
    """Begins `metaglot.serving.jobs.child`, and begins it again where it ended or took too long."""

    def __init__(self, model: str, *, precision: str = "auto", device: str = "auto", threads: int = 0) -> None:
        self._arguments = (model, precision, device, str(threads))
        self._child: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._closed = False
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The number of the process."""
        return None if self._child is None else self._child.pid

    def start(self) -> None:
        """Begin the process, and wait until its model is loaded; raise MetaglotError where that fails."""
        with self._lock:
            if self._closed:
                raise OrderError("the server is closing", SERVER)
            command = [sys.executable, "-m", "metaglot.serving.jobs.child", *self._arguments]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert child.stdout is not None
            self._child, self._lines = child, queue.SimpleQueue()
            threading.Thread(target=_read, args=(child.stdout, self._lines), daemon=True).start()
        if "ready" not in (self._next(START_SECONDS) or {}):
            self._end()
            raise MetaglotError("the process that adapts could not begin; what it says stands above")

    def run(self, order: Order, seconds: float) -> Done:
        """Carry out an order; raise OrderError where that fails, takes too long, or ends the process."""
        if self._child is None or self._child.poll() is not None:
            self.start()
        assert self._child is not None
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(order) + "\n")
            self._child.stdin.flush()
            answer = self._next(seconds)
        except TimeoutError as error:
            self._end()
            why = f"took longer than {seconds:g} seconds; give fewer examples, or a smaller effort"
            raise OrderError(why, REQUEST) from error
        except OSError:
            answer = None
        if answer is None:
            self._end()
            raise OrderError("the process that adapts ended, perhaps for want of memory", SERVER)
        if "done" not in answer:
            raise OrderError(answer["reason"], answer["fault"])
        return Done(*answer["done"])

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._closed = True
        self._end()

    def _next(self, seconds: float) -> dict[str, Any] | None:
        """Return the next answer; None where the process ended, and raise TimeoutError where none comes in time."""
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty as error:
            raise TimeoutError from error
        return None if line is None else json.loads(line)

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout):
                if stream is not None:
                    _close(stream)


def _read(stream: IO[str], lines: "queue.SimpleQueue[str | None]") -> None:
    try:
        for line in stream:
            lines.put(line)
    except (OSError, ValueError):  # closed while it was read
        pass
    lines.put(None)


def _close(stream: IO[str]) -> None:
    with suppress(OSError):  # what stood in its buffer has no reader
        stream.close()
