"""The sections of a report, in the order in which a reader asks: how much, where not, at what cost, how surely."""

from collections.abc import Sequence
from typing import NamedTuple

from metaglot.evaluation.result import Result
from metaglot.metric import ACCURACY, Metric
from metaglot.report.charts import (
    CURVES,
    calibration_chart,
    cpu_chart,
    curves_chart,
    difference_chart,
    method_chart,
    ranking_chart,
    shots_chart,
    validation_chart,
)
from metaglot.report.comparison import Comparison, comparisons, named
from metaglot.report.grids import Grid, calibration, cost, every_task, macro_means, other_metrics
from metaglot.report.headline import headline, run_headline
from metaglot.report.leakage_tables import leakage_grids
from metaglot.report.rates import learnt_grid, rates_chart
from metaglot.report.report_data import ReportData
from metaglot.report.summary import by_metric, ranking, tasks_of, without
from metaglot.report.versus import by_task, effects, mean_ranks, paired
from metaglot.report.wording import named_by


class Section(NamedTuple):
    """A heading with pictures and tables; those that are `folded` open on demand."""

    title: str
    note: str = ""
    charts: Sequence[str] = ()
    grids: Sequence[Grid] = ()
    folded: Sequence[Grid] = ()


def sections(report_data: ReportData) -> tuple[str, list[Section]]:
    """Return the headline and the sections that have something to show."""
    results = list(report_data.results)
    found = comparisons(results, report_data.reference)
    said = headline(results, found) if results else run_headline(report_data.curves, report_data.primary)
    parts = _judged(report_data, results, found)
    parts += [_training(report_data), _leakage(report_data)]
    kept = [
        part._replace(
            charts=[chart for chart in part.charts if chart],
            grids=[grid for grid in part.grids if grid.rows],
            folded=[grid for grid in part.folded if grid.rows],
        )
        for part in parts
    ]
    return said, [part for part in kept if part.note or part.charts or part.grids or part.folded]


def _judged(report_data: ReportData, results: list[Result], found: list[Comparison]) -> list[Section]:
    """Return the sections on results: those of one metric after the other, named after it if there are several."""
    parts = by_metric(results)
    left = set(tasks_of(without(results, report_data.leave_out) if results else []))
    made: list[Section] = []
    for metric, part in parts.items():
        less = [result for result in part if result.task in left]
        less = less if len(less) < len(part) else []
        here = _of_metric(report_data, metric, part, less, [c for c in found if c.metric == metric])
        made += here if len(parts) == 1 else [one._replace(title=named_by(metric, one.title)) for one in here]
    return made


def _of_metric(
    report_data: ReportData, metric: Metric, results: list[Result], fewer: list[Result], found: list[Comparison]
) -> list[Section]:
    leave_out = [name for name in report_data.leave_out if name in tasks_of(results)]
    less = (
        [paired(comparisons(fewer, report_data.reference), f"Paired differences without {', '.join(leave_out)}")]
        if fewer
        else []
    )
    ranks = ranking(results)
    return [
        Section(metric.heading, "", [method_chart(results), shots_chart(results)], [macro_means(results, fewer)]),
        Section("Task by task", "", (), [every_task(results, found)], [by_task(found)]),
        Section("Cost", "", [cpu_chart(results)], [cost(results)]),
        Section(
            f"Against the {named(found)}",
            _THICK if found else "",
            [difference_chart(found)],
            [paired(found), effects(found)],
            less,
        ),
        Section("Ranks", "", [ranking_chart(ranks)], [mean_ranks(ranks, metric)]),
        Section("Calibration", "", [calibration_chart(results)], [calibration(results)]),
        Section("Other metrics", "", (), [other_metrics(results)]),
    ]


_THICK = "Thick bars are 95 % intervals over draws, thin ones over tasks and draws."


def _training(report_data: ReportData) -> Section:
    charts = [
        *(validation_chart(runs, metric) for metric, runs in report_data.curves_by_metric().items()),
        *(curves_chart(report_data.curves, name) for name in CURVES if name != ACCURACY.name),
    ]
    many = len(report_data.learnt) > 1
    charts += [
        rates_chart(learnt, title=f"Learnt rates of {run}" if many else "Learnt rates")
        for run, learnt in report_data.learnt.items()
    ]
    return Section("Meta-training", "", charts, [learnt_grid(report_data.learnt)])


def _leakage(report_data: ReportData) -> Section:
    grids = [grid for leakage in report_data.leakage for grid in leakage_grids(leakage)]
    unknown = [leakage.model for leakage in report_data.leakage if not leakage.known]
    note = f"Unknown for {', '.join(unknown)}, which names no training text." if unknown else ""
    return Section("Leakage", note, (), grids)
