"""The tables of an evaluation as plain grids of text, for the terminal, Markdown and HTML."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from metaglot.choices import FAMILIES
from metaglot.evaluation.result import Result
from metaglot.evaluation.statistics import Interval
from metaglot.metric import CLASSIFICATION, ECE, Metric
from metaglot.report.comparison import Comparison, strongest_rival
from metaglot.report.summary import (
    cpu_seconds,
    has_score,
    macro_mean,
    mean_score,
    methods_of,
    metric_of,
    shots_of,
    task_interval,
    tasks_of,
)
from metaglot.report.wording import difference_title, gain_text, score_text, score_title

Tone = Literal["", "best", "won", "lost"]


class Text(NamedTuple):
    """A cell of a table: its text and its style."""

    text: str
    tone: Tone = ""


class Grid(NamedTuple):
    """A table: the first `keys` columns name a row, the other columns have its numbers."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Text, ...], ...]
    keys: int = 2


def macro_means(results: Sequence[Result], subset: Sequence[Result] = ()) -> Grid:
    """Return the mean of each method over all tasks, then over the tasks of `subset`; the best one of a row is marked.

    The table has no rows if there is only one task.
    """
    methods, shots, task_count = methods_of(results), shots_of(results), len(tasks_of(results))
    metric, subset_title = metric_of(results), f"{len(tasks_of(subset))} of {task_count}"
    rows = [
        _row(metric, f"all {task_count}", k, [macro_mean(results, k, m) for m in methods])
        for k in shots
        if task_count > 1
    ]
    rows += [_row(metric, subset_title, k, [macro_mean(subset, k, m) for m in methods]) for k in shots if subset]
    return Grid(
        "Mean over tasks", _score_note(results), ("tasks", "shots", *methods), tuple(row for row in rows if row)
    )


def every_task(results: Sequence[Result], comparisons: Sequence[Comparison]) -> Grid:
    """Return the scores by task and shot, and the gain over the strongest baseline; lost tasks come first."""
    methods, best, metric = methods_of(results), strongest_rival(comparisons), metric_of(results)
    means = best.means if best else {}
    order = [*means, *(task for task in tasks_of(results) if task not in means)]
    gains = {
        cell: interval for c in comparisons if best and c.rival == best.rival for cell, interval in c.by_task.items()
    }
    rows: list[tuple[Text, ...]] = []
    for task in order:
        for shot in shots_of(results):
            row = _row(metric, task, shot, [task_interval(results, task, shot, method) for method in methods])
            gain = gains.get((task, shot))
            gain_cells = (Text(gain_text(metric, gain), tone(gain)) if gain else Text("–"),) if best else ()
            rows += [(*row, *gain_cells)] if row else []
    gain_columns = (difference_title(metric, best.ours, best.rival, minus=" − "),) if best else ()
    columns = ("task", "shots", *methods, *gain_columns)
    order_note = f" The tasks that {best.ours} loses to {best.rival} come first." if best else ""
    return Grid("Every task", _score_note(results) + order_note, columns, tuple(rows))


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
    """Return the mean expected calibration error, by number of shots and method; no rows if none is known."""
    methods = methods_of(results)
    rows = tuple(
        (Text(str(shot)), *(Text(_mean(results, shot, method, ECE)) for method in methods))
        for shot in shots_of([result for result in results if has_score(result, ECE)])
    )
    classes = all(FAMILIES.exclusive(result.kind) for result in results)
    quantities = (
        "confidence and accuracy" if classes else "the probability of a label and the share of texts that have it"
    )
    note = (
        f"Expected calibration error in %: how far {quantities} lie apart on average, 15 bins; the mean over "
        "tasks and draws. Less is better."
    )
    return Grid("Calibration", note, ("shots", *methods), rows, keys=1)


def other_metrics(results: Sequence[Result]) -> Grid:
    """Return the means of the metrics beside the primary one, by metric, number of shots and method.

    There are no rows for classification; calibration has another table.
    """
    methods = methods_of(results)
    others = list(dict.fromkeys(m for r in results if r.measures != CLASSIFICATION for m in r.measures[1:] if m != ECE))
    rows = tuple(
        (
            Text(metric.axis + metric.direction),
            Text(str(shot)),
            *(Text(_mean(results, shot, m, metric)) for m in methods),
        )
        for metric in others
        for shot in shots_of(results)
    )
    return Grid("Other metrics", "The mean over tasks and draws.", ("metric", "shots", *methods), rows)


def tone(interval: Interval) -> Tone:
    """Return "won" or "lost" if the interval excludes zero."""
    if interval.low > 0:
        return "won"
    return "lost" if interval.high < 0 else ""


def _score_note(results: Sequence[Result]) -> str:
    metric, draws = metric_of(results), len({result.draw for result in results})
    queries = _range([result.queries for result in results])
    return (
        f"{score_title(metric)}, mean over up to {draws} draws of the support set ± the half width of its 95 % "
        f"interval over draws; {queries} queries a task, the same for every method."
    )


def _row(metric: Metric, task: str, shot: int, intervals: list[Interval | None]) -> tuple[Text, ...]:
    means = [interval.mean for interval in intervals if interval is not None]
    if not means:
        return ()
    best_mean = metric.best(means)
    best_marks = [interval is not None and len(means) > 1 and interval.mean == best_mean for interval in intervals]
    cells = (
        Text(score_text(metric, i), "best" if is_best else "") for i, is_best in zip(intervals, best_marks, strict=True)
    )
    return (Text(task), Text(str(shot)), *cells)


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds:.2f}" if seconds < 10 else f"{seconds:.0f}"


def _mean(results: Sequence[Result], shot: int, method: str, metric: Metric) -> str:
    value = mean_score(results, shot, method, metric)
    return "–" if value is None else metric.format(value)


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low}–{high}"
