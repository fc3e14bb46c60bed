"""Signals that ask a command to save and end."""

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_flag(*, once: bool = True) -> Generator[Callable[[], bool]]:
    """Yield a function that returns whether Ctrl-C or SIGTERM came; a second Ctrl-C interrupts at once.

    With `once` false any number of signals asks for the same: those who start ranks send one again.
    """
    signals: list[int] = []

    def on_signal(number: int, _: FrameType | None) -> None:
        if signals and once:
            raise KeyboardInterrupt
        signals.append(number)

    handlers = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(signals)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
