"""The estimate_seconds cost of an evaluation, before it begins."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from metaglot.cli.shared.judging import Evaluation, JudgingOptions, missing_cells
from metaglot.cli.shared.printing import tell, tell_json

if TYPE_CHECKING:
    from metaglot.evaluation.protocol import Cell

LONG = 20  # CPU seconds; a longer evaluation is told of before it begins


def cost_of(out: Path, evaluations: Mapping[str, Evaluation], options: JudgingOptions) -> dict[str, float]:
    """Return an estimate of the CPU seconds of each method for the results that the folder does not have yet."""
    from rich.console import Console
    from rich.progress import track

    from metaglot.evaluation.estimate import estimate_seconds, seconds_of
    from metaglot.report.table import escape

    console = Console(stderr=True)
    total: dict[str, float] = {}
    for name, evaluation in evaluations.items():
        cells = missing_cells(out / name, evaluation, options)
        tasks = [task for task in evaluation.task_sets if any(cell.task == task.name for cell in cells)]
        hidden = options.quiet or not console.is_terminal
        description = escape(f"timing texts of {name}")
        tasks_with_bar = track(tasks, description, console=console, disable=hidden, transient=True)
        seconds = {task.name: seconds_of(evaluation.model.encoder, task) for task in tasks_with_bar}
        for method, cost in estimate_seconds(
            cells, evaluation.task_sets, evaluation.methods, evaluation.plan, seconds
        ).items():
            total[method] = total.get(method, 0.0) + cost
    return total


def written_seconds(out: Path, evaluation: Evaluation, options: JudgingOptions) -> "dict[Cell, float]":
    """Return an estimate of the CPU seconds of cells to come whose texts a model writes; it is printed where long."""
    from metaglot.evaluation.estimate_written import seconds_of_cells

    if options.quiet or not any(task.family.writes for task in evaluation.task_sets):
        return {}
    tasks, methods = {task.name: task for task in evaluation.task_sets}, {one.name: one for one in evaluation.methods}
    encoder, queries = evaluation.model.encoder, evaluation.plan.queries
    queries = min(queries, max(len(task.table) for task in evaluation.task_sets))
    cells = sorted(missing_cells(out, evaluation, options))
    found = seconds_of_cells(cells, tasks, methods, encoder, queries=queries)
    totals: dict[str, float] = {}
    for cell, seconds in found.items():
        totals[cell.method] = totals.get(cell.method, 0.0) + seconds
    if sum(totals.values()) > LONG:
        show_cost(totals, options, as_json=False)
    return found


def show_cost(cost: Mapping[str, float], options: JudgingOptions, *, as_json: bool) -> None:
    """Print the estimate: as JSON on standard output, else on standard error."""
    if as_json:
        tell_json({"cpu_seconds": cost, "jobs": options.jobs})
    elif cost:
        total = sum(cost.values())
        parts = ", ".join(
            f"{name} {_minutes(seconds)}" for name, seconds in sorted(cost.items(), key=lambda pair: -pair[1])
        )
        parallel = f", {_minutes(total / options.jobs)} with {options.jobs} processes" if options.jobs > 1 else ""
        tell(f"about {_minutes(total)} of CPU{parallel} ({parts}); a rough estimate", err=True)


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
