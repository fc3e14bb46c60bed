"""The tables of an evaluation as plain grids of text, for the terminal, Markdown and HTML alike."""

from collections.abc import Collection, Sequence
from math import isnan
from typing import Literal, NamedTuple

from metaglot.evaluation.statistics import Interval
from metaglot.evaluation.store import Result
from metaglot.evaluation.summary import (
    Comparison,
    comparisons,
    cpu_seconds,
    macro,
    methods_of,
    shots_of,
    task_interval,
    tasks_of,
    without,
)

Tone = Literal["", "best", "won", "lost"]


class Text(NamedTuple):
    """A cell of a table: what it says, and how it stands out."""

    text: str
    tone: Tone = ""


class Grid(NamedTuple):
    """A table: the first `keys` columns name a row, the others hold its numbers."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Text, ...], ...]
    keys: int = 2


def grids(results: Sequence[Result], *, leave_out: Collection[str] = ()) -> list[Grid]:
    """Return the tables that say what came out; those without rows are left out.

    `leave_out` names tasks without which the macro mean and the differences are also given.
    """
    fewer = without(results, leave_out) if leave_out else []
    tables = [accuracy(results, fewer), paired(comparisons(results), "Paired differences")]
    if fewer:
        title = f"Paired differences without {', '.join(leave_out)}"
        tables.append(paired(comparisons(fewer), title))
    tables += [by_task(comparisons(results)), cost(results)]
    return [table for table in tables if table.rows]


def accuracy(results: Sequence[Result], fewer: Sequence[Result] = ()) -> Grid:
    """Return the macro means, then accuracy by task and shot, for each method; the best of a row stands out."""
    methods, shots = methods_of(results), shots_of(results)
    left = f"macro of {len(tasks_of(fewer))} tasks"
    several = len(tasks_of(results)) > 1
    rows = [_row("macro mean", k, [macro(results, k, method) for method in methods]) for k in shots if several]
    rows += [_row(left, k, [macro(fewer, k, method) for method in methods]) for k in shots if fewer]
    rows += [
        _row(task, shot, [task_interval(results, task, shot, method) for method in methods])
        for task in tasks_of(results)
        for shot in shots
    ]
    draws = len({result.draw for result in results})
    queries = _range([result.queries for result in results])
    note = (
        f"Accuracy in %, mean over up to {draws} draws of the support set ± the half width of its 95 % interval over "
        f"draws; {queries} queries a task, the same for every method."
    )
    return Grid("Accuracy", note, ("task", "shots", *methods), tuple(row for row in rows if row))


def paired(found: Sequence[Comparison], title: str) -> Grid:
    """Return the differences of macro means, ours minus the other, losses first within a number of shots."""
    order = sorted(found, key=lambda c: (c.shot is None, c.shot or 0, c.draws.mean))
    rows = tuple(
        (
            Text("all" if c.shot is None else str(c.shot)),
            Text(c.against),
            Text(points(c.draws), _tone(c.draws)),
            Text(between(c.tasks)),
            Text(_tally(c)),
        )
        for c in order
    )
    ours = found[0].ours if found else "ours"
    note = (
        f"{ours} minus the other, in points of accuracy on the same draws: macro mean ± 95 % over draws (tasks "
        "held fixed); 95 % bootstrap over tasks (had other tasks been chosen); task means above and below zero."
    )
    columns = ("shots", "against", "difference", "over tasks", "ahead / behind")
    return Grid(title, note, columns, rows)


def by_task(found: Sequence[Comparison]) -> Grid:
    """Return the differences on each task and shot against each rival, the worst rows first."""
    single = [c for c in found if c.shot is not None]
    names = list(dict.fromkeys(c.against.split(" (")[0] for c in single))
    table: dict[tuple[str, int], dict[str, Interval]] = {}
    for c in single:
        for cell, interval in c.by_task.items():
            table.setdefault(cell, {})[c.against.split(" (")[0]] = interval
    worst = sorted(table, key=lambda cell: min(interval.mean for interval in table[cell].values()))
    rows = tuple((Text(task), Text(str(shot)), *_differences(table[task, shot], names)) for task, shot in worst)
    note = "The same by task, the worst first; green and red: the 95 % interval over draws excludes zero."
    return Grid("Where it wins and loses", note, ("task", "shots", *(f"− {name}" for name in names)), rows)


def cost(results: Sequence[Result]) -> Grid:
    """Return the median CPU seconds of a fit, by number of shots and method."""
    methods = methods_of(results)
    rows = tuple(
        (Text(str(shot)), *(Text(_seconds(cpu_seconds(results, shot, method))) for method in methods))
        for shot in shots_of(results)
    )
    note = "CPU seconds to learn a task after the model is loaded: the median over tasks and draws."
    return Grid("Cost", note, ("shots", *methods), rows, keys=1)


def percent(interval: Interval | None) -> str:
    """Return "56.2 ± 1.3", in %; without the interval where there is none."""
    if interval is None:
        return "–"
    return f"{100 * interval.mean:.1f}" + ("" if isnan(interval.low) else f" ± {100 * interval.half:.1f}")


def points(interval: Interval) -> str:
    """Return "+8.1 ± 0.9", in points."""
    return f"{100 * interval.mean:+.1f}" + ("" if isnan(interval.low) else f" ± {100 * interval.half:.1f}")


def between(interval: Interval) -> str:
    """Return "+2.0 … +9.1", in points."""
    return "–" if isnan(interval.low) else f"{100 * interval.low:+.1f} … {100 * interval.high:+.1f}"


def _row(task: str, shot: int, found: list[Interval | None]) -> tuple[Text, ...]:
    means = [interval.mean for interval in found if interval is not None]
    if not means:
        return ()
    best = [interval is not None and len(means) > 1 and interval.mean == max(means) for interval in found]
    cells = (Text(percent(i), "best" if top else "") for i, top in zip(found, best, strict=True))
    return (Text(task), Text(str(shot)), *cells)


def _differences(found: dict[str, Interval], names: Sequence[str]) -> list[Text]:
    return [Text(points(found[name]), _tone(found[name])) if name in found else Text("–") for name in names]


def _tone(interval: Interval) -> Tone:
    if interval.low > 0:
        return "won"
    return "lost" if interval.high < 0 else ""


def _tally(c: Comparison) -> str:
    ahead = sum(interval.mean > 0 for interval in c.by_task.values())
    behind = sum(interval.mean < 0 for interval in c.by_task.values())
    return f"{ahead} / {behind}"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds:.2f}" if seconds < 10 else f"{seconds:.0f}"


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low}–{high}"
