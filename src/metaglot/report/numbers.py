"""The numbers of a report as plain JSON, for scripts."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from metaglot.evaluation.result import Result
from metaglot.evaluation.statistics import Interval
from metaglot.report.comparison import Comparison, comparisons
from metaglot.report.headline import headline, run_headline
from metaglot.report.report_data import Material
from metaglot.report.summary import (
    cpu_seconds,
    macro,
    mean_ece,
    methods_of,
    ranking,
    shots_of,
    task_interval,
    tasks_of,
    without,
)


def numbers(material: Material) -> dict[str, Any]:
    """Return headline, means, comparisons and ranks, as shares rather than percent; None where unknown.

    `without` has means and comparisons without the tasks that the material leaves out; None if it leaves out none.
    """
    results = list(material.results)
    found = comparisons(results, material.reference)
    ranks = ranking(results)
    fewer = without(results, material.leave_out) if results and material.leave_out else []
    return {
        "title": material.title,
        "headline": headline(results, found) if results else run_headline(material.curves),
        "tasks": tasks_of(results),
        "runs": list(material.curves),
        "macro": _macros(results),
        "by_task": [
            {"task": task, **_accuracy(results, task, shot, method)}
            for task in tasks_of(results)
            for shot in shots_of(results)
            for method in methods_of(results)
        ],
        "comparisons": [_comparison(c) for c in found],
        "ranks": None if ranks is None else ranks._asdict(),
        "without": {
            "tasks": list(material.leave_out),
            "macro": _macros(fewer),
            "comparisons": [_comparison(c) for c in comparisons(fewer, material.reference)],
        }
        if fewer
        else None,
    }


def _macros(results: Sequence[Result]) -> list[dict[str, Any]]:
    return [_macro(results, shot, method) for shot in shots_of(results) for method in methods_of(results)]


def _macro(results: Sequence[Result], shot: int, method: str) -> dict[str, Any]:
    whole = macro(results, shot, method)
    return {
        "shot": shot,
        "method": method,
        "accuracy": None if whole is None else _interval(whole),
        "cpu_seconds": cpu_seconds(results, shot, method),
        "ece": mean_ece(results, shot, method),
    }


def _accuracy(results: Sequence[Result], task: str, shot: int, method: str) -> dict[str, Any]:
    found = task_interval(results, task, shot, method)
    return {"shot": shot, "method": method, "accuracy": None if found is None else _interval(found)}


def _comparison(c: Comparison) -> dict[str, Any]:
    return {
        "shot": c.shot,
        "ours": c.ours,
        "against": c.against,
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
