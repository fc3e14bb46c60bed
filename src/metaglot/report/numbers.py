"""The numbers of a report as plain JSON, for scripts."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from metaglot.evaluation.result import Result
from metaglot.evaluation.statistics import Interval
from metaglot.metric import Metric
from metaglot.report.comparison import Comparison, comparisons
from metaglot.report.headline import headline, run_headline
from metaglot.report.report_data import ReportData
from metaglot.report.summary import (
    by_metric,
    cpu_seconds,
    macro,
    mean_of,
    methods_of,
    ranking,
    shots_of,
    task_interval,
    tasks_of,
    without,
)


def numbers(report_data: ReportData) -> dict[str, Any]:
    """Return headline, means, comparisons and ranks, as shares rather than percent; None where unknown.

    A mean stands under the name of its metric, which `metric` names; `metrics` says of each its unit and which way is
    better; no mean is over several.  `ranks` is None where there are several, and `ranks_by_metric` has all.
    `without` has means and comparisons without the tasks that the report leaves out; None if it leaves out none.
    """
    results = list(report_data.results)
    found, parts = comparisons(results, report_data.reference), by_metric(results)
    ranks = {metric: ranking(part) for metric, part in parts.items()}
    only = next(iter(ranks.values())) if len(ranks) == 1 else None
    fewer = without(results, report_data.leave_out) if results and report_data.leave_out else []
    return {
        "title": report_data.title,
        "headline": headline(results, found) if results else run_headline(report_data.curves, report_data.primary),
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
        "comparisons": [_comparison(c) for c in found],
        "ranks": None if only is None else only._asdict(),
        "ranks_by_metric": [
            {"metric": metric.name, **found._asdict()} for metric, found in ranks.items() if found is not None
        ],
        "without": {
            "tasks": list(report_data.leave_out),
            "macro": _macros(fewer),
            "comparisons": [_comparison(c) for c in comparisons(fewer, report_data.reference)],
        }
        if fewer
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
    whole = macro(results, shot, method)
    others = list(dict.fromkeys(other for result in results for other in result.measures[1:]))
    return {
        "shot": shot,
        "method": method,
        "metric": metric.name,
        metric.name: None if whole is None else _interval(whole),
        "cpu_seconds": cpu_seconds(results, shot, method),
        **{other.name: mean_of(results, shot, method, other) for other in others},
    }


def _score(results: Sequence[Result], metric: Metric, task: str, shot: int, method: str) -> dict[str, Any]:
    found = task_interval(results, task, shot, method)
    mean = None if found is None else _interval(found)
    return {"shot": shot, "method": method, "metric": metric.name, metric.name: mean}


def _comparison(c: Comparison) -> dict[str, Any]:
    return {
        "shot": c.shot,
        "ours": c.ours,
        "against": c.against,
        "metric": c.metric.name,
        "over_draws": _interval(c.draws),
        "over_tasks_and_draws": _interval(c.tasks),
        "p_draws_holm": _known(c.p_draws),
        "p_tasks_holm": _known(c.p_tasks),
        "d_z": _interval(c.effect),
        "won": c.won,
        "by_task": c.means,
    }


def _interval(interval: Interval) -> dict[str, Any]:
    return {name: _known(value) for name, value in interval._asdict().items()}


def _known(value: float) -> float | None:
    return value if isfinite(value) else None
