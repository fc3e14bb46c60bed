"""Bars of long work."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from metaglot.errors import printable


@contextmanager
def bars(*, quiet: bool) -> Generator[Callable[[str, int, int], None]]:
    """Yield a function of (work, steps done, all steps) that shows a bar for each work, with the time left.

    Where standard error is no terminal, there is none.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, disable=hidden, transient=True) as progress:
        task_ids: dict[str, TaskID] = {}

        def bar(what: str, done: int, total: int) -> None:
            if what not in task_ids:
                task_ids[what] = progress.add_task(printable(what), total=total)
            progress.update(task_ids[what], completed=done, total=total)

        yield bar
