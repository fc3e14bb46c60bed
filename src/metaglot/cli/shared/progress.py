"""A progress bar with the time left, on a terminal only, for work that takes more than two seconds."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

DELAY = 2.0  # seconds before the bar is shown


@contextmanager
def bar(
    description: str, total: int, *, console: Console | None = None, delay: float = DELAY
) -> Generator[Callable[[int], None]]:
    """Yield a function that takes the number of newly finished items; after `delay` seconds it draws a bar on stderr.

    The bar is removed at the end; where standard error is no terminal, there is none.
    """
    console = console or Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    progress = Progress(*columns, console=console, transient=True)
    task, start = progress.add_task(description, total=total), time.monotonic()

    def advance(more: int) -> None:
        progress.advance(task, more)
        if console.is_terminal and not progress.finished and time.monotonic() - start >= delay:
            progress.start()

    try:
        yield advance
    finally:
        if progress.live.is_started:  # else it would print an empty line where there is no terminal
            progress.stop()
