"""A benchmark over groups of tasks: every method on every group, what ours gains, and what each costs."""

from collections.abc import Mapping, Sequence
from statistics import fmean, median

from metaglot.choices import FROZEN
from metaglot.errors import MetaglotError
from metaglot.evaluation.result import Result
from metaglot.evaluation.statistics import differences, macro_interval
from metaglot.metric import CLASSIFICATION, Metric
from metaglot.report.comparison import BETTER
from metaglot.report.grids import Grid, Text, tone
from metaglot.report.scales import in_scales
from metaglot.report.summary import (
    at_shot,
    better_frozen,
    by_metric,
    has,
    macro,
    methods_of,
    metric_of,
    shots_of,
    signed,
    tasks_of,
)
from metaglot.report.wording import estimate, gained, named_by, over_others, titled

Groups = Mapping[str, Sequence[Result]]


def benchmark(groups: Groups, ours: str) -> list[Grid]:
    """Return the tables: scores, gains of `ours`, cost and other metrics; tables of their own for each metric."""
    scaled = iter(in_scales([result for results in groups.values() for result in results]))
    groups = {name: [next(scaled) for _ in results] for name, results in groups.items()}
    parts = by_metric([result for results in groups.values() for result in results])
    made: list[Grid] = []
    for metric, everything in parts.items():
        shares = {name: [one for one in results if one.metric == metric] for name, results in groups.items()}
        here = {name: share for name, share in shares.items() if share}
        tables = [means(here, metric), gains(here, ours, metric), costs(everything)]
        made += tables if len(parts) == 1 else [grid._replace(title=named_by(metric, grid.title)) for grid in tables]
    return made


def means(groups: Groups, metric: Metric) -> Grid:
    """Return the macro mean of each method, in a column for each group and number of shots."""
    places = _places(groups)
    table = {m: [macro(groups[group], shot, m) for group, shot in places] for m in _methods(groups)}
    best = [metric.best(i.mean for i in column if i) for column in zip(*table.values(), strict=True)]
    rows = tuple(
        (
            Text(method),
            *(
                Text(estimate(metric, i), "best" if i and i.mean == top else "")
                for i, top in zip(row, best, strict=True)
            ),
        )
        for method, row in table.items()
    )
    sizes = ", ".join(f"{name}: {len(tasks_of(results))} tasks" for name, results in groups.items())
    note = (
        f"{titled(metric)}, mean over the tasks of a group ± half of its 95 % interval over draws ({sizes}); the "
        "same draws and queries for every method. – where a method was not judged on every task."
    )
    return Grid(metric.heading, note, ("method", *_columns(places)), rows, keys=1)


def gains(groups: Groups, ours: str, metric: Metric) -> Grid:
    """Return what `ours` gains over each other method on the tasks and draws that both have."""
    places = _places(groups)
    rows: list[tuple[Text, ...]] = []
    others = [method for method in _methods(groups) if method != ours]
    if len([arm for arm in FROZEN if arm in others]) > 1:
        rows.append((Text(BETTER), *(_frozen(groups[group], shot, ours) for group, shot in places)))
    rows += [(Text(m), *(_gain(groups[group], shot, ours, m) for group, shot in places)) for m in others]
    gain = f"{over_others(metric, ours)}, in {metric.gain_unit or metric.words}"
    note = (
        f"{gain}, macro mean over the tasks that both were judged on ± half of its 95 % "
        "interval over draws (paired); in brackets the number of tasks where they are not all. The better frozen arm "
        "is chosen at each number of shots by these results, in its own favour."
    )
    return Grid(f"What {ours} gains", note, ("over", *_columns(places)), tuple(rows), keys=1)


def costs(results: Sequence[Result]) -> Grid:
    """Return CPU seconds, memory and the other metrics than the primary one of each method, by shots."""
    of = len(tasks_of(results))
    others = list(dict.fromkeys(metric for result in results for metric in result.measures[1:]))
    rows = [
        (
            Text(method),
            Text(str(shot)),
            *map(Text, _cost([r for r in at_shot(results, shot) if r.method == method], of, others)),
        )
        for method in methods_of(results)
        for shot in shots_of(results)
        if any(r.method == method for r in at_shot(results, shot))
    ]
    note = (
        "Medians of a fit, of the tasks that a method was judged on (in brackets how many where not all, so that the "
        "row does not compare with others): CPU seconds after the model is loaded; the most memory that the process "
        "held, with Python, libraries and model."
    )
    if others:
        note += f" Means: {', '.join(metric.meaning or metric.axis + metric.direction for metric in others)}."
    title = "Cost, F1, calibration" if tuple(others) == CLASSIFICATION[1:] else "Cost and other metrics"
    columns = ("method", "shots", "CPU-s", "MB", *(metric.words for metric in others))
    return Grid(title, note, columns, tuple(rows))


def _cost(results: Sequence[Result], of: int, others: Sequence[Metric]) -> tuple[str, ...]:
    tasks = len(tasks_of(results))
    part = f" ({tasks})" if tasks < of else ""
    seconds = median(r.cpu_seconds for r in results)
    held = [r.peak_mb for r in results if r.peak_mb is not None]
    found = [[r.metrics[metric.name] for r in results if has(r, metric)] for metric in others]
    return (
        f"{seconds:.2f}" if seconds < 10 else f"{seconds:.0f}",
        f"{median(held):.0f}" if held else "–",
        *(f"{m.format(fmean(scores))}{part}" if scores else "–" for m, scores in zip(others, found, strict=True)),
    )


def _frozen(results: Sequence[Result], shot: int, ours: str) -> Text:
    arm = better_frozen(results, shot)
    return Text("–") if arm is None else _gain(results, shot, ours, arm)


def _gain(results: Sequence[Result], shot: int, ours: str, other: str) -> Text:
    try:
        found = differences(signed(results, ours, shot), signed(results, other, shot))
        interval = macro_interval(found)
    except MetaglotError:
        return Text("–")
    tasks, of = len({task for task, _, _ in found}), len(tasks_of(results))
    return Text(gained(metric_of(results), interval) + (f" ({tasks})" if tasks < of else ""), tone(interval))


def _places(groups: Groups) -> list[tuple[str, int]]:
    return [(group, shot) for group, results in groups.items() for shot in shots_of(results)]


def _columns(places: Sequence[tuple[str, int]]) -> list[str]:
    return [f"{group}, {shot}" for group, shot in places]


def _methods(groups: Groups) -> list[str]:
    return list(dict.fromkeys(method for results in groups.values() for method in methods_of(results)))
