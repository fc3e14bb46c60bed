"""Signals that ask a command to save and end."""

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

STOPPING = ("SIGINT", "SIGTERM", "SIGUSR1")  # Windows has no last one


@contextmanager
def stop_flag(*, once: bool = True) -> Generator[Callable[[], bool]]:
    """Yield a function that returns whether Ctrl-C, SIGTERM or SIGUSR1 came; a second Ctrl-C interrupts at once.

    SIGUSR1 is what Slurm sends before the end if it is asked to (`--signal=USR1@120`), and SIGTERM what it sends then
    (https://slurm.schedmd.com/sbatch.html#OPT_signal).  With `once` false a second Ctrl-C too asks for the same: those
    who start ranks send one again.
    """
    signals: list[int] = []

    def on_signal(number: int, _: FrameType | None) -> None:
        if signal.SIGINT in signals and number == signal.SIGINT and once:
            raise KeyboardInterrupt
        signals.append(number)

    numbers = [signal.Signals[name] for name in STOPPING if name in signal.Signals.__members__]
    handlers = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield lambda: bool(signals)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
