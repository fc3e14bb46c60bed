"""A bar with the time that is left, on a terminal alone, for work that takes more than a moment."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PATIENCE = 2.0  # seconds before the bar is shown


@contextmanager
def bar(
    what: str, total: int, *, console: Console | None = None, after: float = PATIENCE
) -> Generator[Callable[[int], None]]:
    """Give a function that takes the number of further items done; after `after` seconds it draws a bar on stderr.

    The bar goes away at the end, and there is none where standard error is no terminal.
    """
    console = console or Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    progress = Progress(*columns, console=console, transient=True)
    task, begin = progress.add_task(what, total=total), time.monotonic()

    def advance(more: int) -> None:
        progress.advance(task, more)
        if console.is_terminal and not progress.finished and time.monotonic() - begin >= after:
            progress.start()

    try:
        yield advance
    finally:
        progress.stop()
