"""The sections of a report, in the order of a reader's questions: scores, tasks, costs, comparisons, ranks."""

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
from metaglot.report.comparison import Comparison, compare_methods, rival_noun
from metaglot.report.grids import Grid, calibration, cost, every_task, macro_means, other_metrics
from metaglot.report.headline import headline, run_headline
from metaglot.report.leakage_tables import leakage_grids
from metaglot.report.rates import parameter_grid, rates_chart
from metaglot.report.report_data import ReportData
from metaglot.report.summary import by_metric, ranking, tasks_of, without_tasks
from metaglot.report.versus import effect_sizes, mean_ranks, paired_differences, task_differences
from metaglot.report.wording import metric_title


class Section(NamedTuple):
    """A heading with charts and tables; a reader opens the tables of `details` by a click."""

    title: str
    note: str = ""
    charts: Sequence[str] = ()
    grids: Sequence[Grid] = ()
    details: Sequence[Grid] = ()


def sections(report_data: ReportData) -> tuple[str, list[Section]]:
    """Return the headline and the sections that are not empty."""
    results = list(report_data.results)
    comparisons = compare_methods(results, report_data.reference)
    headline_text = (
        headline(results, comparisons) if results else run_headline(report_data.curves, report_data.primary_metrics)
    )
    parts = _result_sections(report_data, results, comparisons)
    parts += [_training(report_data), _leakage(report_data)]
    visible_parts = [
        part._replace(
            charts=[chart for chart in part.charts if chart],
            grids=[grid for grid in part.grids if grid.rows],
            details=[grid for grid in part.details if grid.rows],
        )
        for part in parts
    ]
    return headline_text, [part for part in visible_parts if part.note or part.charts or part.grids or part.details]


def _result_sections(report_data: ReportData, results: list[Result], comparisons: list[Comparison]) -> list[Section]:
    """Return the sections on results, one metric after the other; several metrics are named in the titles."""
    parts = by_metric(results)
    remaining_tasks = set(tasks_of(without_tasks(results, report_data.leave_out) if results else []))
    result_sections: list[Section] = []
    for metric, part in parts.items():
        subset = [result for result in part if result.task in remaining_tasks]
        subset = subset if len(subset) < len(part) else []
        metric_sections = _of_metric(report_data, metric, part, subset, [c for c in comparisons if c.metric == metric])
        result_sections += (
            metric_sections
            if len(parts) == 1
            else [one._replace(title=metric_title(metric, one.title)) for one in metric_sections]
        )
    return result_sections


def _of_metric(
    report_data: ReportData, metric: Metric, results: list[Result], subset: list[Result], comparisons: list[Comparison]
) -> list[Section]:
    leave_out = [name for name in report_data.leave_out if name in tasks_of(results)]
    subset_tables = (
        [
            paired_differences(
                compare_methods(subset, report_data.reference), f"Paired differences without {', '.join(leave_out)}"
            )
        ]
        if subset
        else []
    )
    ranks = ranking(results)
    return [
        Section(metric.heading, "", [method_chart(results), shots_chart(results)], [macro_means(results, subset)]),
        Section("Task by task", "", (), [every_task(results, comparisons)], [task_differences(comparisons)]),
        Section("Cost", "", [cpu_chart(results)], [cost(results)]),
        Section(
            f"Against the {rival_noun(comparisons)}",
            BAR_NOTE if comparisons else "",
            [difference_chart(comparisons)],
            [paired_differences(comparisons), effect_sizes(comparisons)],
            subset_tables,
        ),
        Section("Ranks", "", [ranking_chart(ranks)], [mean_ranks(ranks, metric)]),
        Section("Calibration", "", [calibration_chart(results)], [calibration(results)]),
        Section("Other metrics", "", (), [other_metrics(results)]),
    ]


BAR_NOTE = "Thick bars are 95 % intervals over draws, thin ones over tasks and draws."


def _training(report_data: ReportData) -> Section:
    charts = [
        *(validation_chart(runs, metric) for metric, runs in report_data.curves_by_metric().items()),
        *(curves_chart(report_data.curves, name) for name in CURVES if name != ACCURACY.name),
    ]
    has_several_runs = len(report_data.parameters) > 1
    charts += [
        rates_chart(parameters, title=f"Learnt rates of {run}" if has_several_runs else "Learnt rates")
        for run, parameters in report_data.parameters.items()
    ]
    return Section("Meta-training", "", charts, [parameter_grid(report_data.parameters)])


def _leakage(report_data: ReportData) -> Section:
    grids = [grid for leakage in report_data.leakage for grid in leakage_grids(leakage)]
    unknown = [leakage.model for leakage in report_data.leakage if not leakage.known]
    note = f"Unknown for {', '.join(unknown)}, which names no training text." if unknown else ""
    return Section("Leakage", note, (), grids)
