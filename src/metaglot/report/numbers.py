"""The numbers of a report as plain JSON, for scripts."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from metaglot.evaluation.result import Result
from metaglot.evaluation.statistics import Interval
from metaglot.metric import Metric
from metaglot.report.comparison import Comparison, compare_methods
from metaglot.report.headline import headline, run_headline
from metaglot.report.report_data import ReportData
from metaglot.report.summary import (
    by_metric,
    cpu_seconds,
    macro_mean,
    mean_score,
    methods_of,
    ranking,
    shots_of,
    task_interval,
    tasks_of,
    without_tasks,
)


def numbers(report_data: ReportData) -> dict[str, Any]:
    """Return headline, means, comparisons and ranks; scores are shares, not percent, and None if unknown.

    The key of a mean is the name of its metric, which is also the value of `metric`.  `metrics` gives the unit and the
    direction of each metric.  A mean is over one metric only.  `ranks` is None if there are several metrics;
    `ranks_by_metric` has the ranks of each.  `without` has means and comparisons without the tasks that the report
    leaves out; None if it leaves out none.
    """
    results = list(report_data.results)
    comparisons, parts = compare_methods(results, report_data.reference), by_metric(results)
    ranks = {metric: ranking(part) for metric, part in parts.items()}
    single_ranking = next(iter(ranks.values())) if len(ranks) == 1 else None
    subset = without_tasks(results, report_data.leave_out) if results and report_data.leave_out else []
    return {
        "title": report_data.title,
        "headline": headline(results, comparisons)
        if results
        else run_headline(report_data.curves, report_data.primary_metrics),
        "metrics": [metric.to_json() for metric in dict.fromkeys(m for r in results for m in r.measures)],
        "tasks": tasks_of(results),
        "runs": list(report_data.curves),
        "macro": _macros(results),
        "by_task": [
            {"task": task, **_score(part, metric, task, shot, method)}
            for metric, part in parts.items()
            for task in tasks_of(part)
            for shot in shots_of(part)
            for method in methods_of(part)
        ],
        "comparisons": [_comparison(c) for c in comparisons],
        "ranks": None if single_ranking is None else single_ranking._asdict(),
        "ranks_by_metric": [
            {"metric": metric.name, **metric_ranking._asdict()}
            for metric, metric_ranking in ranks.items()
            if metric_ranking is not None
        ],
        "without": {
            "tasks": list(report_data.leave_out),
            "macro": _macros(subset),
            "comparisons": [_comparison(c) for c in compare_methods(subset, report_data.reference)],
        }
        if subset
        else None,
    }


def _macros(results: Sequence[Result]) -> list[dict[str, Any]]:
    return [
        _macro(part, metric, shot, method)
        for metric, part in by_metric(results).items()
        for shot in shots_of(part)
        for method in methods_of(part)
    ]


def _macro(results: Sequence[Result], metric: Metric, shot: int, method: str) -> dict[str, Any]:
    mean = macro_mean(results, shot, method)
    others = list(dict.fromkeys(other for result in results for other in result.measures[1:]))
    return {
        "shot": shot,
        "method": method,
        "metric": metric.name,
        metric.name: None if mean is None else _interval(mean),
        "cpu_seconds": cpu_seconds(results, shot, method),
        **{other.name: mean_score(results, shot, method, other) for other in others},
    }


def _score(results: Sequence[Result], metric: Metric, task: str, shot: int, method: str) -> dict[str, Any]:
    interval = task_interval(results, task, shot, method)
    mean = None if interval is None else _interval(interval)
    return {"shot": shot, "method": method, "metric": metric.name, metric.name: mean}


def _comparison(c: Comparison) -> dict[str, Any]:
    return {
        "shot": c.shot,
        "ours": c.ours,
        "against": c.rival,
        "metric": c.metric.name,
        "over_draws": _interval(c.draws),
        "over_tasks_and_draws": _interval(c.tasks),
        "p_draws_holm": _finite_or_none(c.p_draws),
        "p_tasks_holm": _finite_or_none(c.p_tasks),
        "d_z": _interval(c.effect),
        "won": c.win_share,
        "by_task": c.means,
    }


def _interval(interval: Interval) -> dict[str, Any]:
    return {name: _finite_or_none(value) for name, value in interval._asdict().items()}


def _finite_or_none(value: float) -> float | None:
    return value if isfinite(value) else None
