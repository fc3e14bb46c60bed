"""Commands in children of a warmed-up process: a fork takes milliseconds, and a start of Python and torch seconds."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from metaglot.cli.app import main

PATIENCE = 240.0  # seconds until a child counts as hung
HUNG = -9999


class Ended(NamedTuple):
    """How a child ended."""

    code: int  # negative: the signal that ended it
    seconds: float
    log: str


def command(*arguments: object) -> Callable[[], int]:
    """Return a function that calls the command line, and returns its exit code."""

    def call() -> int:
        sys.argv = ["metaglot", *map(str, arguments)]
        try:
            main()
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    return call


def begin(work: Callable[[], int], log: Path, environment: Mapping[str, str] | None = None) -> int:
    """Begin some work in a child, which writes to the log, and return its number."""
    sys.stdout.flush()
    sys.stderr.flush()
    if child := os.fork():
        return child
    code = 70
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        os.environ.update(environment or {})
        code = work()
    except BaseException:  # whatever it was, the child ends here
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def wait(child: int, seconds: float = PATIENCE) -> int | None:
    """Return how a child ended, None if it has not within so many seconds."""
    limit = time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        left = limit - time.monotonic()
        if left <= 0:
            return None
        time.sleep(min(0.002, left))


def kill(child: int) -> None:
    """Kill a child, and wait for its end."""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def whole(work: Callable[[], int], log: Path, environment: Mapping[str, str] | None = None) -> Ended:
    """Do some work in a child to its end; one that hangs is killed."""
    log.unlink(missing_ok=True)
    began = time.monotonic()
    child = begin(work, log, environment)
    code = wait(child)
    if code is None:
        kill(child)
    text = log.read_text("utf-8", "replace") if log.exists() else ""
    return Ended(HUNG if code is None else code, time.monotonic() - began, text)


def killed(
    work: Callable[[], int], log: Path, moment: float, environment: Mapping[str, str] | None = None
) -> Ended | None:
    """Do some work in a child and kill it at a moment; return None if it was killed, else how it ended before."""
    log.unlink(missing_ok=True)
    began = time.monotonic()
    child = begin(work, log, environment)
    code = wait(child, moment)
    if code is None:
        kill(child)
        return None
    return Ended(code, time.monotonic() - began, log.read_text("utf-8", "replace"))
