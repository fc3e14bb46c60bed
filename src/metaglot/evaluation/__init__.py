"""Evaluation: protocol, baselines, statistics, leakage, and the results on disk."""

from metaglot.evaluation.baselines import FineTune, FineTuneSettings, Fitted, Method, Ours, baselines, ours
from metaglot.evaluation.protocol import Cell, Plan, TaskSet, cells
from metaglot.evaluation.result import Result
from metaglot.evaluation.run import evaluate, evaluate_into
from metaglot.evaluation.store import read_results

__all__ = [
    "Cell",
    "FineTune",
    "FineTuneSettings",
    "Fitted",
    "Method",
    "Ours",
    "Plan",
    "Result",
    "TaskSet",
    "baselines",
    "cells",
    "evaluate",
    "evaluate_into",
    "ours",
    "read_results",
]
