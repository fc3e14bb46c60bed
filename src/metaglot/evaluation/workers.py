"""Judges the cells of an evaluation in several processes, each with tasks and methods of its own.

Processes are spawned, not forked: a forked one would share the threads and locks of torch.  A process gets a function
and its arguments, never a model, and loads what it needs; each uses its share of the threads.
"""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import NamedTuple

from metaglot.errors import MetaglotError, own_warnings
from metaglot.evaluation.baselines.method import Method
from metaglot.evaluation.judge import Judge
from metaglot.evaluation.noting import Judged, Noting, told
from metaglot.evaluation.protocol import Cell, Plan, TaskSet
from metaglot.evaluation.result import Result

Make = Callable[[], tuple[Sequence[TaskSet], Sequence[Method]]]
AHEAD = 16  # cells for each process that may be finished before an earlier one; a kill loses them
_judges: list[Noting] = []  # of this process


class Workers(NamedTuple):
    """The number of processes, and the function that makes tasks and methods in each: of a module, or a partial.

    On a Ray cluster (`on`, as `--on` of commands) 0 processes are as many as it has CPUs.
    """

    processes: int
    make: Make
    threads: int = 1  # of each
    on: str | None = None  # processes of this machine if None
    gpus: int = 0  # of each, on Ray


def judge_in_processes(workers: Workers, plan: Plan, cells: Sequence[Cell]) -> Iterator[Result]:
    """Yield the results of these cells, in their order.

    Raises the error of a process, and MetaglotError where one is killed, for example by lack of memory.
    """
    other_processes = multiprocessing.active_children()
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers.processes, context, _initialise, (workers.make, workers.threads, plan))
    is_finished = False
    try:
        yield from told(_in_order(pool, iter(cells), workers.processes * AHEAD))
        is_finished = True
    except BrokenProcessPool as error:
        raise MetaglotError(
            f"one of {workers.processes} processes was killed, or could not begin; the results so far are saved: give "
            "the command again with fewer --jobs"
        ) from error
    finally:
        for process in [] if is_finished else multiprocessing.active_children():
            if process not in other_processes:  # its current cell may take minutes
                process.terminate()
        pool.shutdown(cancel_futures=True)


def _in_order(pool: ProcessPoolExecutor, cells: Iterator[Cell], ahead: int) -> Iterator[Judged]:
    pending = deque(pool.submit(_judge_cell, cell) for cell in islice(cells, ahead))
    while pending:
        result = pending.popleft().result()
        pending.extend(pool.submit(_judge_cell, cell) for cell in islice(cells, 1))
        yield result


def _initialise(make: Make, threads: int, plan: Plan) -> None:
    import torch

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # an interrupt ends them without a word: the parent has it too
    torch.set_num_threads(threads)
    with own_warnings():  # those of loading: the process that waits has loaded the same and told them
        _judges[:] = [Noting(Judge.of(*make(), plan))]


def _judge_cell(cell: Cell) -> Judged:
    return _judges[0](cell)
