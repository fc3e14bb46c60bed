"""Grids as a Rich terminal table and as Markdown."""

from collections.abc import Collection, Sequence

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from metaglot.evaluation.grids import Grid, Tone, grids
from metaglot.evaluation.store import Result

STYLES: dict[Tone, str] = {"": "", "best": "bold", "won": "green", "lost": "red"}


def terminal_grid(grid: Grid) -> Table:
    """Return one grid as a Rich console prints it."""
    return _rich(grid)


def markdown_grid(grid: Grid) -> str:
    """Return one grid as Markdown."""
    return _markdown(grid)


def terminal(results: Sequence[Result], *, leave_out: Collection[str] = (), by_task: bool = False) -> Group:
    """Return what a Rich console prints: accuracy, paired differences, cost; with `by_task` each task's too."""
    chosen = [grid for grid in grids(results, leave_out=leave_out) if by_task or "wins" not in grid.title]
    return Group(*(part for grid in chosen for part in (_rich(grid), "")))


def markdown(results: Sequence[Result], *, leave_out: Collection[str] = ()) -> str:
    """Return the same tables, each task's differences included, as Markdown."""
    return "\n".join(_markdown(grid) for grid in grids(results, leave_out=leave_out))


def _rich(grid: Grid) -> Table:
    table = Table(title=escape(grid.title), caption=escape(grid.note), title_justify="left", caption_justify="left")
    for number, column in enumerate(grid.columns):
        table.add_column(escape(column), justify="left" if number < grid.keys else "right", overflow="fold")
    before = ""
    for row in grid.rows:
        new = bool(before) and row[0].text != before and grid.keys > 1
        if new:
            table.add_section()
        before = row[0].text
        table.add_row(*(_styled(cell.text, cell.tone) for cell in row))
    return table


def _styled(text: str, tone: Tone) -> str:
    return f"[{STYLES[tone]}]{escape(text)}[/]" if STYLES[tone] else escape(text)


def _markdown(grid: Grid) -> str:
    lines = [f"**{grid.title}.** {grid.note}", "", _line(grid.columns)]
    lines.append(_line(["---" if number < grid.keys else "---:" for number in range(len(grid.columns))]))
    for row in grid.rows:
        lines.append(_line([f"**{c.text}**" if c.tone == "best" else _cell(c.text) for c in row]))
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
