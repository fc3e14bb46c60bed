"""Protocol, baselines, metrics, statistics, leakage: what is evaluated, and the results on disk."""

from metaglot.evaluation.baselines import FineTune, Fitted, Method, Ours, Tuned, baselines, ours
from metaglot.evaluation.protocol import Cell, Plan, TaskSet, cells
from metaglot.evaluation.result import Result
from metaglot.evaluation.run import evaluate, evaluate_into
from metaglot.evaluation.store import read_results

__all__ = [
    "Cell",
    "FineTune",
    "Fitted",
    "Method",
    "Ours",
    "Plan",
    "Result",
    "TaskSet",
    "Tuned",
    "baselines",
    "cells",
    "evaluate",
    "evaluate_into",
    "ours",
    "read_results",
]
