"""A benchmark over groups of tasks: the scores of every method, the gains of our method, and the costs."""

from collections.abc import Mapping, Sequence
from statistics import fmean, median

from metaglot.choices import FROZEN
from metaglot.errors import MetaglotError
from metaglot.evaluation.result import Result
from metaglot.evaluation.statistics import differences, macro_interval
from metaglot.metric import CLASSIFICATION, Metric
from metaglot.report.comparison import BETTER_FROZEN
from metaglot.report.grids import Grid, Text, tone
from metaglot.report.scales import with_common_scales
from metaglot.report.summary import (
    at_shot,
    better_frozen_arm,
    by_metric,
    has_score,
    macro_mean,
    methods_of,
    metric_of,
    shots_of,
    signed_scores,
    tasks_of,
)
from metaglot.report.wording import difference_sentence, gain_text, metric_title, score_text, score_title

Groups = Mapping[str, Sequence[Result]]


def benchmark(groups: Groups, ours: str) -> list[Grid]:
    """Return the tables: scores, gains of `ours`, costs and other metrics.  Each primary metric has its own tables."""
    scaled = iter(with_common_scales([result for results in groups.values() for result in results]))
    groups = {name: [next(scaled) for _ in results] for name, results in groups.items()}
    parts = by_metric([result for results in groups.values() for result in results])
    grids: list[Grid] = []
    for metric, metric_results in parts.items():
        results_by_group = {name: [one for one in results if one.metric == metric] for name, results in groups.items()}
        metric_groups = {name: share for name, share in results_by_group.items() if share}
        tables = [means(metric_groups, metric), gains(metric_groups, ours, metric), costs(metric_results)]
        grids += (
            tables if len(parts) == 1 else [grid._replace(title=metric_title(metric, grid.title)) for grid in tables]
        )
    return grids


def means(groups: Groups, metric: Metric) -> Grid:
    """Return the macro mean of each method; each group and number of shots has a column."""
    places = _places(groups)
    table = {m: [macro_mean(groups[group], shot, m) for group, shot in places] for m in _methods(groups)}
    best = [metric.best(i.mean for i in column if i) for column in zip(*table.values(), strict=True)]
    rows = tuple(
        (
            Text(method),
            *(
                Text(score_text(metric, i), "best" if i and i.mean == best_mean else "")
                for i, best_mean in zip(row, best, strict=True)
            ),
        )
        for method, row in table.items()
    )
    sizes = ", ".join(f"{name}: {len(tasks_of(results))} tasks" for name, results in groups.items())
    note = (
        f"{score_title(metric)}, mean over the tasks of a group ± half of its 95 % interval over draws ({sizes}); the "
        "draws and queries are the same for every method. – means that a method was not judged on every task."
    )
    return Grid(metric.heading, note, ("method", *_columns(places)), rows, keys=1)


def gains(groups: Groups, ours: str, metric: Metric) -> Grid:
    """Return the gain of `ours` over each other method, on the tasks and draws that both have."""
    places = _places(groups)
    rows: list[tuple[Text, ...]] = []
    others = [method for method in _methods(groups) if method != ours]
    if len([arm for arm in FROZEN if arm in others]) > 1:
        rows.append((Text(BETTER_FROZEN), *(_frozen_gain(groups[group], shot, ours) for group, shot in places)))
    rows += [(Text(m), *(_gain(groups[group], shot, ours, m) for group, shot in places)) for m in others]
    gain = f"{difference_sentence(metric, ours)}, in {metric.gain_unit or metric.words}"
    note = (
        f"{gain}, macro mean over the tasks that both were judged on ± half of its 95 % "
        "interval over draws (paired). A number in brackets is the number of tasks, if some are missing. The better "
        "frozen arm is chosen at each number of shots by these results, in its own favour."
    )
    return Grid(f"What {ours} gains", note, ("over", *_columns(places)), tuple(rows), keys=1)


def costs(results: Sequence[Result]) -> Grid:
    """Return CPU seconds, memory and the metrics beside the primary one for each method, by shots."""
    task_count = len(tasks_of(results))
    others = list(dict.fromkeys(metric for result in results for metric in result.measures[1:]))
    rows = [
        (
            Text(method),
            Text(str(shot)),
            *map(Text, _cost([r for r in at_shot(results, shot) if r.method == method], task_count, others)),
        )
        for method in methods_of(results)
        for shot in shots_of(results)
        if any(r.method == method for r in at_shot(results, shot))
    ]
    note = (
        "Medians of a fit, over the tasks that a method was judged on: CPU seconds after the model is loaded, and the "
        "largest memory of the process, with Python, libraries and model. A number in brackets is the number of tasks, "
        "if some are missing; such a row cannot be compared with others."
    )
    if others:
        note += f" Means: {', '.join(metric.meaning or metric.axis + metric.direction for metric in others)}."
    title = "Cost, F1, calibration" if tuple(others) == CLASSIFICATION[1:] else "Cost and other metrics"
    columns = ("method", "shots", "CPU-s", "MB", *(metric.words for metric in others))
    return Grid(title, note, columns, tuple(rows))


def _cost(results: Sequence[Result], task_count: int, others: Sequence[Metric]) -> tuple[str, ...]:
    tasks = len(tasks_of(results))
    part = f" ({tasks})" if tasks < task_count else ""
    seconds = median(r.cpu_seconds for r in results)
    peaks = [r.peak_mb for r in results if r.peak_mb is not None]
    score_lists = [[r.metrics[metric.name] for r in results if has_score(r, metric)] for metric in others]
    return (
        f"{seconds:.2f}" if seconds < 10 else f"{seconds:.0f}",
        f"{median(peaks):.0f}" if peaks else "–",
        *(f"{m.format(fmean(scores))}{part}" if scores else "–" for m, scores in zip(others, score_lists, strict=True)),
    )


def _frozen_gain(results: Sequence[Result], shot: int, ours: str) -> Text:
    arm = better_frozen_arm(results, shot)
    return Text("–") if arm is None else _gain(results, shot, ours, arm)


def _gain(results: Sequence[Result], shot: int, ours: str, other: str) -> Text:
    try:
        pairs = differences(signed_scores(results, ours, shot), signed_scores(results, other, shot))
        interval = macro_interval(pairs)
    except MetaglotError:
        return Text("–")
    tasks, task_count = len({task for task, _, _ in pairs}), len(tasks_of(results))
    return Text(gain_text(metric_of(results), interval) + (f" ({tasks})" if tasks < task_count else ""), tone(interval))


def _places(groups: Groups) -> list[tuple[str, int]]:
    return [(group, shot) for group, results in groups.items() for shot in shots_of(results)]


def _columns(places: Sequence[tuple[str, int]]) -> list[str]:
    return [f"{group}, {shot}" for group, shot in places]


def _methods(groups: Groups) -> list[str]:
    return list(dict.fromkeys(method for results in groups.values() for method in methods_of(results)))
