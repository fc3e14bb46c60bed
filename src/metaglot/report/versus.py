"""The tables that compare ours with the baselines: differences, tests and effect sizes, ranks."""

from collections.abc import Sequence
from math import isnan

from metaglot.evaluation.statistics import Interval, Ranking
from metaglot.metric import ACCURACY, Metric
from metaglot.report.comparison import BETTER, Comparison
from metaglot.report.grids import Grid, Text, tone
from metaglot.report.wording import between, gained, over_others, subtraction


def paired(found: Sequence[Comparison], title: str = "Paired differences") -> Grid:
    """Return the gains in macro means over each other method, losses first within a number of shots."""
    rows = tuple(
        (
            Text(_shots(c)),
            Text(c.against),
            Text(gained(c.metric, c.draws), tone(c.draws)),
            Text(between(c.metric, c.tasks), tone(c.tasks)),
            Text(_tally(c)),
        )
        for c in _ordered(found)
    )
    ours, metric = (found[0].ours, found[0].metric) if found else ("ours", ACCURACY)
    gain = f"{over_others(metric, ours)}, in {metric.gain_title}"
    note = (
        f"{gain} on the same draws: macro mean ± 95 % over draws (tasks "
        "held fixed); 95 % bootstrap over tasks and draws (had others been chosen); tasks ahead and behind."
    )
    columns = ("shots", "against", "difference", "over tasks and draws", "ahead / behind")
    return Grid(title, note, columns, rows)


def effects(found: Sequence[Comparison]) -> Grid:
    """Return tests and effect sizes of the differences from each baseline, in the same order."""
    found = [c for c in found if c.single]
    rows = tuple(
        (Text(_shots(c)), Text(c.against), Text(_p(c.p_draws)), Text(_p(c.p_tasks)), Text(_d(c.effect)), Text(_won(c)))
        for c in _ordered(found)
    )
    tasks = {len(c.means) for c in found}
    over = "tasks' means" if tasks != {1} else "draws"
    note = (
        "Two-sided p values, Holm-adjusted among those at one number of shots: paired t over draws (tasks held "
        "fixed), and Wilcoxon's signed rank over tasks, which with five tasks or fewer cannot fall below 0.05. "
        f"Cohen's d_z of the {over} with its 95 % interval: 0.2 is small, 0.8 large. The share of fits won."
    )
    columns = ("shots", "against", "p over draws", "p over tasks", "d_z", "won")
    return Grid("Tests and effect sizes", note, columns, rows)


def by_task(found: Sequence[Comparison]) -> Grid:
    """Return the differences on each task and shot against each rival, the worst rows first."""
    single = [c for c in found if c.shot is not None]
    names = list(dict.fromkeys(_name(c) for c in single))
    table: dict[tuple[str, int], dict[str, Interval]] = {}
    for c in single:
        for cell, interval in c.by_task.items():
            table.setdefault(cell, {})[_name(c)] = interval
    metric = single[0].metric if single else ACCURACY
    worst = sorted(table, key=lambda cell: min(interval.mean for interval in table[cell].values()))
    rows = tuple((Text(task), Text(str(shot)), *_differences(metric, table[task, shot], names)) for task, shot in worst)
    note = "The same by task, the worst first; green and red: the 95 % interval over draws excludes zero."
    over = (subtraction(metric, "", name, minus=" − ").strip() for name in names)
    return Grid("Where it wins and loses", note, ("task", "shots", *over), rows)


def mean_ranks(found: Ranking | None, metric: Metric = ACCURACY) -> Grid:
    """Return the methods by mean rank by a metric; the note has Friedman's test and Nemenyi's critical difference."""
    if found is None:
        return Grid("Mean ranks", "", ("method", "mean rank"), (), keys=1)
    rows = tuple((Text(m), Text(f"{rank:.2f}")) for m, rank in zip(found.methods, found.ranks, strict=True))
    if found.p_f < found.alpha:
        told = "so the methods are not all alike; two differ when their mean ranks do by the critical difference"
    else:
        told = "so nothing tells the methods apart, and the bars should not be read as if something did"
    note = (
        f"Mean rank by {metric.words} over {found.tasks} tasks, 1 is best. Friedman's test: χ² = {found.chi2:.1f}, "
        f"{_equals(found.p)}; Iman and Davenport's F: {_equals(found.p_f)}, {told} ({found.critical:.2f}, Nemenyi, "
        f"{100 * found.alpha:.0f} %)."
    )
    return Grid("Mean ranks", note, ("method", "mean rank"), rows, keys=1)


def _ordered(found: Sequence[Comparison]) -> list[Comparison]:
    return sorted(found, key=lambda c: (c.shot is None, c.shot or 0, c.draws.mean))


def _shots(c: Comparison) -> str:
    return "all" if c.shot is None else str(c.shot)


def _name(c: Comparison) -> str:
    return c.against if c.single else BETTER


def _differences(metric: Metric, found: dict[str, Interval], names: Sequence[str]) -> list[Text]:
    return [Text(gained(metric, found[name]), tone(found[name])) if name in found else Text("–") for name in names]


def _tally(c: Comparison) -> str:
    return f"{sum(mean > 0 for mean in c.means.values())} / {sum(mean < 0 for mean in c.means.values())}"


def _p(p: float) -> str:
    if isnan(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def _equals(p: float) -> str:
    return f"p {_p(p)}" if p < 0.001 else f"p = {_p(p)}"


def _d(effect: Interval) -> str:
    return "–" if isnan(effect.mean) else f"{effect.mean:+.2f} [{effect.low:+.2f}, {effect.high:+.2f}]"


def _won(c: Comparison) -> str:
    return f"{100 * c.won:.0f} %"
