"""The tables of an evaluation as plain grids of text, for the terminal, Markdown and HTML alike."""

from collections.abc import Sequence
from math import isnan
from typing import Literal, NamedTuple

from metaglot.evaluation.result import Result
from metaglot.evaluation.statistics import Interval
from metaglot.report.comparison import Comparison, strongest
from metaglot.report.summary import (
    cpu_seconds,
    macro,
    mean_ece,
    methods_of,
    shots_of,
    task_interval,
    tasks_of,
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


def macro_means(results: Sequence[Result], fewer: Sequence[Result] = ()) -> Grid:
    """Return the means over tasks for each method, then those over `fewer` tasks; the best of a row stands out.

    Without rows if there is but one task.
    """
    methods, shots, many = methods_of(results), shots_of(results), len(tasks_of(results))
    rows = [_row(f"all {many}", k, [macro(results, k, method) for method in methods]) for k in shots if many > 1]
    left = f"{len(tasks_of(fewer))} of {many}"
    rows += [_row(left, k, [macro(fewer, k, method) for method in methods]) for k in shots if fewer]
    return Grid("Mean over tasks", _judged(results), ("tasks", "shots", *methods), tuple(row for row in rows if row))


def every_task(results: Sequence[Result], found: Sequence[Comparison]) -> Grid:
    """Return accuracy by task and shot for each method, and ours minus the strongest baseline, lost tasks first."""
    methods, best = methods_of(results), strongest(found)
    means = best.means if best else {}
    order = [*means, *(task for task in tasks_of(results) if task not in means)]
    at = {cell: interval for c in found if best and c.against == best.against for cell, interval in c.by_task.items()}
    rows: list[tuple[Text, ...]] = []
    for task in order:
        for shot in shots_of(results):
            row = _row(task, shot, [task_interval(results, task, shot, method) for method in methods])
            gap = at.get((task, shot))
            last = (Text(points(gap), tone(gap)) if gap else Text("–"),) if best else ()
            rows += [(*row, *last)] if row else []
    columns = ("task", "shots", *methods, *((f"{best.ours} − {best.against}",) if best else ()))
    first = f" The tasks that {best.ours} loses to {best.against} come first." if best else ""
    return Grid("Every task", _judged(results) + first, columns, tuple(rows))


def cost(results: Sequence[Result]) -> Grid:
    """Return the median CPU seconds of a fit, by number of shots and method."""
    methods = methods_of(results)
    rows = tuple(
        (Text(str(shot)), *(Text(_seconds(cpu_seconds(results, shot, method))) for method in methods))
        for shot in shots_of(results)
    )
    note = "CPU seconds to learn a task after the model is loaded: the median over tasks and draws."
    return Grid("Cost", note, ("shots", *methods), rows, keys=1)


def calibration(results: Sequence[Result]) -> Grid:
    """Return the mean expected calibration error, by number of shots and method."""
    methods = methods_of(results)
    rows = tuple(
        (Text(str(shot)), *(Text(_share(mean_ece(results, shot, method))) for method in methods))
        for shot in shots_of(results)
    )
    note = (
        "Expected calibration error in %: how far confidence and accuracy lie apart on average, 15 bins; the mean over "
        "tasks and draws. Less is better."
    )
    return Grid("Calibration", note, ("shots", *methods), rows, keys=1)


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


def tone(interval: Interval) -> Tone:
    """Return won or lost where the interval excludes zero."""
    if interval.low > 0:
        return "won"
    return "lost" if interval.high < 0 else ""


def _judged(results: Sequence[Result]) -> str:
    draws = len({result.draw for result in results})
    queries = _range([result.queries for result in results])
    return (
        f"Accuracy in %, mean over up to {draws} draws of the support set ± the half width of its 95 % interval over "
        f"draws; {queries} queries a task, the same for every method."
    )


def _row(task: str, shot: int, found: list[Interval | None]) -> tuple[Text, ...]:
    means = [interval.mean for interval in found if interval is not None]
    if not means:
        return ()
    best = [interval is not None and len(means) > 1 and interval.mean == max(means) for interval in found]
    cells = (Text(percent(i), "best" if top else "") for i, top in zip(found, best, strict=True))
    return (Text(task), Text(str(shot)), *cells)


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds:.2f}" if seconds < 10 else f"{seconds:.0f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low}–{high}"
