"""Judges the cells of an evaluation on a Ray cluster, each as a task that is tried again where its node dies."""

from collections.abc import Iterator, Sequence
from functools import partial

from metaglot.cluster import Share, spread
from metaglot.errors import own_warnings
from metaglot.evaluation.judge import Judge
from metaglot.evaluation.noting import Noting, told
from metaglot.evaluation.protocol import Cell, Plan
from metaglot.evaluation.result import Result
from metaglot.evaluation.workers import Workers


def judge_on_ray(workers: Workers, plan: Plan, cells: Sequence[Cell]) -> Iterator[Result]:
    """Yield the results of these cells, in their order and each once, from the cluster `workers.on`.

    A process gets names and not models, as a local one does, and keeps tasks and methods between cells.
    """
    share = Share(workers.on or "ray", workers.processes, workers.threads, workers.gpus)
    return told(spread(partial(_judge, workers, plan), cells, share))


def _judge(workers: Workers, plan: Plan) -> Noting:
    with own_warnings():  # as in workers.py
        return Noting(Judge.of(*workers.make(), plan))
