"""Grids as a Rich terminal table and as Markdown."""

from collections.abc import Collection, Sequence

from rich.console import Group
from rich.markup import escape as markup_escape
from rich.table import Table

from metaglot.data.arguments import check_all, check_text
from metaglot.errors import MetaglotError, printable
from metaglot.evaluation.result import Result
from metaglot.metric import Metric
from metaglot.report.comparison import compare_methods
from metaglot.report.grids import Grid, Tone, calibration, cost, every_task, macro_means, other_metrics
from metaglot.report.summary import by_metric, ranking, tasks_of, without_tasks
from metaglot.report.versus import effect_sizes, mean_ranks, paired_differences, task_differences
from metaglot.report.wording import metric_title

STYLES: dict[Tone, str] = {"": "", "best": "bold", "won": "green", "lost": "red"}


TERMINAL_TITLES = ("Mean over tasks", "Every task", "Paired differences", "Cost")  # of the tables on a terminal


def grids(results: Sequence[Result], *, leave_out: Collection[str] = (), reference: str | None = None) -> list[Grid]:
    """Return the tables of the results; tables without rows are left out.

    The macro mean and the differences are given a second time without the tasks of `leave_out`.  `reference` is the
    method that is compared with the others; None: our method.  Each primary metric has its own tables.

    Raises MetaglotError for arguments of another type, and for no results.
    """
    results = check_all("results", results, Result, "results, as evaluate(…) yields them")
    if not results:
        raise MetaglotError("results: expected one result or more, got none; judge a task first")
    leave_out = check_all("leave_out", leave_out, str, "names of tasks")
    reference = None if reference is None else check_text("reference", reference)
    parts, remaining_tasks = by_metric(results), set(tasks_of(without_tasks(results, leave_out)))
    tables: list[Grid] = []
    for metric, part in parts.items():
        subset = [result for result in part if result.task in remaining_tasks]
        subset = subset if len(subset) < len(part) else []
        metric_tables = _of_metric(
            part, subset, metric, [name for name in leave_out if name in tasks_of(part)], reference
        )
        tables += (
            metric_tables
            if len(parts) == 1
            else [grid._replace(title=metric_title(metric, grid.title)) for grid in metric_tables]
        )
    return [table for table in tables if table.rows]


def _of_metric(
    results: Sequence[Result],
    subset: Sequence[Result],
    metric: Metric,
    leave_out: Sequence[str],
    reference: str | None,
) -> list[Grid]:
    """Return the tables of results with one primary metric; `subset` is the results without the tasks to leave out."""
    comparisons = compare_methods(results, reference)
    tables = [macro_means(results, subset), every_task(results, comparisons), paired_differences(comparisons)]
    if subset:
        tables.append(
            paired_differences(compare_methods(subset, reference), f"Paired differences without {', '.join(leave_out)}")
        )
    tables += [
        effect_sizes(comparisons),
        task_differences(comparisons),
        mean_ranks(ranking(results), metric),
        cost(results),
    ]
    return [*tables, calibration(results), other_metrics(results)]


def terminal(
    results: Sequence[Result],
    *,
    leave_out: Collection[str] = (),
    by_task: bool = False,
    reference: str | None = None,
) -> Group:
    """Return the tables for a Rich console: scores, paired differences, cost; with `by_task` all other tables too."""
    tables = grids(results, leave_out=leave_out, reference=reference)
    selected_tables = [grid for grid in tables if by_task or grid.title.startswith(TERMINAL_TITLES)]
    return Group(*(part for grid in selected_tables for part in (terminal_grid(grid), "")))


def markdown(results: Sequence[Result], *, leave_out: Collection[str] = (), reference: str | None = None) -> str:
    """Return all tables as Markdown."""
    return "\n".join(markdown_grid(grid) for grid in grids(results, leave_out=leave_out, reference=reference))


def terminal_grid(grid: Grid) -> Table:
    """Return one table for a Rich console."""
    table = Table(title=escape(grid.title), caption=escape(grid.note), title_justify="left", caption_justify="left")
    for number, column in enumerate(grid.columns):
        table.add_column(escape(column), justify="left" if number < grid.keys else "right", overflow="fold")
    last_key = ""
    for row in grid.rows:
        is_new_group = bool(last_key) and row[0].text != last_key and grid.keys > 1
        if is_new_group:
            table.add_section()
        last_key = row[0].text
        table.add_row(*(_style(cell.text, cell.tone) for cell in row))
    return table


def escape(text: str) -> str:
    """Return a text without markup of Rich and without commands to the terminal."""
    return markup_escape(printable(text))


def _style(text: str, tone: Tone) -> str:
    return f"[{STYLES[tone]}]{escape(text)}[/]" if STYLES[tone] else escape(text)


def markdown_grid(grid: Grid) -> str:
    """Return one table as Markdown, after its title and note."""
    lines = [f"**{grid.title}.** {grid.note}", "", _line(grid.columns)]
    lines.append(_line(["---" if number < grid.keys else "---:" for number in range(len(grid.columns))]))
    for row in grid.rows:
        lines.append(_line([f"**{_cell(c.text)}**" if c.tone == "best" else _cell(c.text) for c in row]))
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
