"""The tables of our method against the baselines: differences, tests and effect sizes, ranks."""

from collections.abc import Sequence
from math import isnan

from metaglot.evaluation.statistics import Interval, Ranking
from metaglot.metric import ACCURACY, Metric
from metaglot.report.comparison import BETTER_FROZEN, Comparison
from metaglot.report.grids import Grid, Text, tone
from metaglot.report.wording import difference_sentence, difference_title, gain_text, interval_text


def paired_differences(comparisons: Sequence[Comparison], title: str = "Paired differences") -> Grid:
    """Return the gains in the macro mean over each other method, by number of shots, the lowest gains first."""
    rows = tuple(
        (
            Text(_shots(c)),
            Text(c.rival),
            Text(gain_text(c.metric, c.draws), tone(c.draws)),
            Text(interval_text(c.metric, c.tasks), tone(c.tasks)),
            Text(_tally(c)),
        )
        for c in _order(comparisons)
    )
    ours, metric = (comparisons[0].ours, comparisons[0].metric) if comparisons else ("ours", ACCURACY)
    gain = f"{difference_sentence(metric, ours)}, in {metric.gain_title}"
    note = (
        f"{gain} on the same draws: macro mean ± 95 % over draws (tasks "
        "held fixed); 95 % bootstrap over tasks and draws (had others been chosen); tasks ahead and behind."
    )
    columns = ("shots", "against", "difference", "over tasks and draws", "ahead / behind")
    return Grid(title, note, columns, rows)


def effect_sizes(comparisons: Sequence[Comparison]) -> Grid:
    """Return tests and effect sizes of the differences from each baseline, in the same order."""
    comparisons = [c for c in comparisons if c.is_single]
    rows = tuple(
        (
            Text(_shots(c)),
            Text(c.rival),
            Text(_p_value(c.p_draws)),
            Text(_p_value(c.p_tasks)),
            Text(_effect(c.effect)),
            Text(_win_share(c)),
        )
        for c in _order(comparisons)
    )
    tasks = {len(c.means) for c in comparisons}
    unit = "tasks' means" if tasks != {1} else "draws"
    note = (
        "Two-sided p values, Holm-adjusted among the baselines at one number of shots: paired t over draws (tasks held "
        "fixed), and Wilcoxon's signed rank over tasks, which with five tasks or fewer cannot fall below 0.05. "
        f"Cohen's d_z of the {unit} with its 95 % interval: 0.2 is small, 0.8 large. The share of fits won."
    )
    columns = ("shots", "against", "p over draws", "p over tasks", "d_z", "won")
    return Grid("Tests and effect sizes", note, columns, rows)


def task_differences(comparisons: Sequence[Comparison]) -> Grid:
    """Return the gains on each task and number of shots over each rival, the lowest gains first."""
    single_shot = [c for c in comparisons if c.shot is not None]
    names = list(dict.fromkeys(_rival_name(c) for c in single_shot))
    table: dict[tuple[str, int], dict[str, Interval]] = {}
    for c in single_shot:
        for cell, interval in c.by_task.items():
            table.setdefault(cell, {})[_rival_name(c)] = interval
    metric = single_shot[0].metric if single_shot else ACCURACY
    cells = sorted(table, key=lambda cell: min(interval.mean for interval in table[cell].values()))
    rows = tuple((Text(task), Text(str(shot)), *_differences(metric, table[task, shot], names)) for task, shot in cells)
    note = (
        "The same differences by task, the worst task first. Green and red: the 95 % interval over draws excludes zero."
    )
    difference_columns = (difference_title(metric, "", name, minus=" − ").strip() for name in names)
    return Grid("Where it wins and loses", note, ("task", "shots", *difference_columns), rows)


def mean_ranks(ranking: Ranking | None, metric: Metric = ACCURACY) -> Grid:
    """Return the mean ranks of the methods; the note has Friedman's test and Nemenyi's critical difference."""
    if ranking is None:
        return Grid("Mean ranks", "", ("method", "mean rank"), (), keys=1)
    rows = tuple((Text(m), Text(f"{rank:.2f}")) for m, rank in zip(ranking.methods, ranking.ranks, strict=True))
    if ranking.p_f < ranking.alpha:
        conclusion = (
            "so the methods differ; two methods differ if their mean ranks differ by at least the critical difference"
        )
    else:
        conclusion = "so there is no evidence that the methods differ, and the bars do not show a difference"
    note = (
        f"Mean rank by {metric.words} over {ranking.tasks} tasks, 1 is best. Friedman's test: χ² = {ranking.chi2:.1f}, "
        f"{_p_equation(ranking.p)}; Iman and Davenport's F: {_p_equation(ranking.p_f)}, {conclusion} "
        f"({ranking.critical:.2f}, Nemenyi, {100 * ranking.alpha:.0f} %)."
    )
    return Grid("Mean ranks", note, ("method", "mean rank"), rows, keys=1)


def _order(comparisons: Sequence[Comparison]) -> list[Comparison]:
    return sorted(comparisons, key=lambda c: (c.shot is None, c.shot or 0, c.draws.mean))


def _shots(c: Comparison) -> str:
    return "all" if c.shot is None else str(c.shot)


def _rival_name(c: Comparison) -> str:
    return c.rival if c.is_single else BETTER_FROZEN


def _differences(metric: Metric, intervals: dict[str, Interval], names: Sequence[str]) -> list[Text]:
    return [
        Text(gain_text(metric, intervals[name]), tone(intervals[name])) if name in intervals else Text("–")
        for name in names
    ]


def _tally(c: Comparison) -> str:
    return f"{sum(mean > 0 for mean in c.means.values())} / {sum(mean < 0 for mean in c.means.values())}"


def _p_value(p: float) -> str:
    if isnan(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def _p_equation(p: float) -> str:
    return f"p {_p_value(p)}" if p < 0.001 else f"p = {_p_value(p)}"


def _effect(effect: Interval) -> str:
    return "–" if isnan(effect.mean) else f"{effect.mean:+.2f} [{effect.low:+.2f}, {effect.high:+.2f}]"


def _win_share(c: Comparison) -> str:
    return f"{100 * c.win_share:.0f} %"
