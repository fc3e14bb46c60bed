"""Protocol, baselines, metrics, statistics, tables and the report."""

from metaglot.evaluation.baselines import BASELINES, FineTune, Fitted, Method, Ours, Tuned, baselines, ours
from metaglot.evaluation.charts import curve_chart, method_chart
from metaglot.evaluation.material import Material, gather
from metaglot.evaluation.protocol import Cell, Plan, TaskSet, cells
from metaglot.evaluation.report import write_report
from metaglot.evaluation.run import evaluate, evaluate_into
from metaglot.evaluation.store import Result, read_results
from metaglot.evaluation.table import markdown, terminal

__all__ = [
    "BASELINES",
    "Cell",
    "FineTune",
    "Fitted",
    "Material",
    "Method",
    "Ours",
    "Plan",
    "Result",
    "TaskSet",
    "Tuned",
    "baselines",
    "cells",
    "curve_chart",
    "evaluate",
    "evaluate_into",
    "gather",
    "markdown",
    "method_chart",
    "ours",
    "read_results",
    "terminal",
    "write_report",
]
