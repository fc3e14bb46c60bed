"""Grids as a Rich terminal table and as Markdown."""

from collections.abc import Collection, Sequence

from rich.console import Group
from rich.markup import escape as markup_escape
from rich.table import Table

from metaglot.data.arguments import check_all, check_text
from metaglot.errors import MetaglotError, printable
from metaglot.evaluation.result import Result
from metaglot.metric import Metric
from metaglot.report.comparison import comparisons
from metaglot.report.grids import Grid, Tone, calibration, cost, every_task, macro_means, other_metrics
from metaglot.report.summary import by_metric, ranking, tasks_of, without
from metaglot.report.versus import by_task as differences_by_task
from metaglot.report.versus import effects, mean_ranks, paired
from metaglot.report.wording import named_by

STYLES: dict[Tone, str] = {"": "", "best": "bold", "won": "green", "lost": "red"}


BRIEF = ("Mean over tasks", "Every task", "Paired differences", "Cost")  # what a terminal shows


def grids(results: Sequence[Result], *, leave_out: Collection[str] = (), reference: str | None = None) -> list[Grid]:
    """Return the tables that say what came out; those without rows are left out.

    `leave_out` names tasks without which the macro mean and the differences are also given; `reference` the method
    that is compared with the others, where that is not ours.  Tasks of unlike metrics have tables of their own.

    Raises MetaglotError for arguments of another type, and for no results.
    """
    results = check_all("results", results, Result, "results, as evaluate(…) yields them")
    if not results:
        raise MetaglotError("results: expected one result or more, got none; judge a task first")
    leave_out = check_all("leave_out", leave_out, str, "names of tasks")
    reference = None if reference is None else check_text("reference", reference)
    parts, left = by_metric(results), set(tasks_of(without(results, leave_out)))
    tables: list[Grid] = []
    for metric, part in parts.items():
        less = [result for result in part if result.task in left]
        less = less if len(less) < len(part) else []
        made = _of_metric(part, less, metric, [name for name in leave_out if name in tasks_of(part)], reference)
        tables += made if len(parts) == 1 else [grid._replace(title=named_by(metric, grid.title)) for grid in made]
    return [table for table in tables if table.rows]


def _of_metric(
    results: Sequence[Result],
    fewer: Sequence[Result],
    metric: Metric,
    leave_out: Sequence[str],
    reference: str | None,
) -> list[Grid]:
    """Return the tables of results that have one primary metric; `fewer` are those without the tasks left out."""
    found = comparisons(results, reference)
    tables = [macro_means(results, fewer), every_task(results, found), paired(found)]
    if fewer:
        tables.append(paired(comparisons(fewer, reference), f"Paired differences without {', '.join(leave_out)}"))
    tables += [effects(found), differences_by_task(found), mean_ranks(ranking(results), metric), cost(results)]
    return [*tables, calibration(results), other_metrics(results)]


def terminal(
    results: Sequence[Result],
    *,
    leave_out: Collection[str] = (),
    by_task: bool = False,
    reference: str | None = None,
) -> Group:
    """Return what a Rich console prints: scores, paired differences, cost; with `by_task` all the rest too."""
    tables = grids(results, leave_out=leave_out, reference=reference)
    chosen = [grid for grid in tables if by_task or grid.title.startswith(BRIEF)]
    return Group(*(part for grid in chosen for part in (terminal_grid(grid), "")))


def markdown(results: Sequence[Result], *, leave_out: Collection[str] = (), reference: str | None = None) -> str:
    """Return the same tables, each task's differences included, as Markdown."""
    return "\n".join(markdown_grid(grid) for grid in grids(results, leave_out=leave_out, reference=reference))


def terminal_grid(grid: Grid) -> Table:
    """Return one table for a Rich console."""
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


def escape(text: str) -> str:
    """Return a text as Rich shows it plainly: neither markup nor commands to the terminal."""
    return markup_escape(printable(text))


def _styled(text: str, tone: Tone) -> str:
    return f"[{STYLES[tone]}]{escape(text)}[/]" if STYLES[tone] else escape(text)


def markdown_grid(grid: Grid) -> str:
    """Return one table as Markdown, its title and note before it."""
    lines = [f"**{grid.title}.** {grid.note}", "", _line(grid.columns)]
    lines.append(_line(["---" if number < grid.keys else "---:" for number in range(len(grid.columns))]))
    for row in grid.rows:
        lines.append(_line([f"**{_cell(c.text)}**" if c.tone == "best" else _cell(c.text) for c in row]))
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
