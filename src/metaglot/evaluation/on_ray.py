"""Judges the cells of an evaluation on a Ray cluster: each cell is a task, tried again elsewhere when its node dies.

Moritz et al. 2018, https://arxiv.org/abs/1712.05889; https://docs.ray.io/en/latest/ray-core/fault_tolerance/tasks.html.
A task gets names and not models, as a local process does.  A process of Ray keeps tasks and methods between cells.
"""

import os
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch

from metaglot.cluster import connected, enter
from metaglot.errors import MetaglotError
from metaglot.evaluation.judge import Judge
from metaglot.evaluation.protocol import Cell, Plan
from metaglot.evaluation.result import Result
from metaglot.evaluation.workers import AHEAD, Workers

RETRIES = 5  # of a cell whose process or node died: one that kills its process each time must end
_judges: dict[str, Judge] = {}  # of this process: that of the evaluation it works for


class _Setup(NamedTuple):
    """What a process needs before its first cell."""

    name: str  # of this evaluation among all
    folder: str  # that relative paths begin at
    workers: Workers
    plan: Plan


def judge_on_ray(workers: Workers, plan: Plan, cells: Sequence[Cell]) -> Iterator[Result]:
    """Yield the results of these cells, in their order, from the cluster `workers.on`.

    A result is yielded once, however often its cell was tried.  Raises the error of a cell, and MetaglotError where the
    processes of one die again and again.
    """
    import ray
    from ray.exceptions import RayError, RayTaskError

    with connected(workers.on or "ray"):
        judge: Any = ray.remote(num_cpus=workers.threads, num_gpus=workers.gpus, max_retries=RETRIES)(_judge_cell)
        setup = ray.put(_Setup(uuid.uuid4().hex, str(os.getcwd()), workers, plan))
        order: deque[Any] = deque()  # of the results that are not yielded yet
        try:
            yield from _in_order(lambda cell: judge.remote(setup, cell), iter(cells), order, workers.processes)
        except RayTaskError as error:
            raise error.cause if isinstance(error.cause, MetaglotError) else error from None
        except RayError as error:
            raise MetaglotError(
                f"a cell could not be judged: {' '.join(str(error).split())[:300]} The results so far are saved: give "
                "the command again, with fewer --jobs if memory ran out"
            ) from error
        finally:
            for result in order:
                ray.cancel(result, force=True)  # its cell may take minutes


def _in_order(
    submit: Callable[[Cell], Any], cells: Iterator[Cell], order: deque[Any], at_once: int
) -> Iterator[Result]:
    """Yield the results in the order of the cells, `at_once` of them at work: if 0, two for each CPU there is then."""
    import ray

    working: list[Any] = []
    while True:
        most = at_once or 2 * int(ray.cluster_resources().get("CPU", 1))  # the second waits at its node
        while len(working) < most and len(order) < most * AHEAD and (cell := next(cells, None)):
            working.append(submit(cell))
            order.append(working[-1])
        if not order:
            return
        _, working = ray.wait(working) if working else ([], [])
        while order and order[0] not in working:
            yield ray.get(order[0])
            order.popleft()


def _judge_cell(setup: _Setup, cell: Cell) -> Result:
    if setup.name not in _judges:
        enter(setup.folder)
        torch.set_num_threads(setup.workers.threads)
        _judges.clear()  # one evaluation at a time is in memory
        _judges[setup.name] = Judge.of(*setup.workers.make(), setup.plan)
    return _judges[setup.name](cell)
