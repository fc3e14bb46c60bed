"""Cells of an evaluation spread over processes, each with tasks and methods of its own.

Processes are spawned, not forked: a forked one would share the threads and locks of torch.  What a process needs goes
to it as words (a function and its arguments), never as a model; each uses its share of the threads.
"""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import NamedTuple

from metaglot.errors import MetaglotError
from metaglot.evaluation.baselines.method import Method
from metaglot.evaluation.judge import Judge
from metaglot.evaluation.protocol import Cell, Plan, TaskSet
from metaglot.evaluation.result import Result

Make = Callable[[], tuple[Sequence[TaskSet], Sequence[Method]]]
AHEAD = 16  # cells for each process that may be done before their turn comes to be told; a kill loses them
_judges: list[Judge] = []  # of this process


class Workers(NamedTuple):
    """How many processes, and how each makes its tasks and methods: a function of a module, or a partial of one."""

    processes: int
    make: Make
    threads: int = 1  # of each


def spread(workers: Workers, plan: Plan, left: Sequence[Cell]) -> Iterator[Result]:
    """Yield the results of these cells, in their order.

    Raises what a process raises, and MetaglotError where one is killed, as for want of memory.
    """
    others = multiprocessing.active_children()
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers.processes, context, _begin, (workers.make, workers.threads, plan))
    whole = False
    try:
        yield from _in_order(pool, iter(left), workers.processes * AHEAD)
        whole = True
    except BrokenProcessPool as error:
        raise MetaglotError(
            f"one of {workers.processes} processes was killed, or could not begin; what is done is kept: give the "
            "command again with fewer --jobs"
        ) from error
    finally:
        for process in [] if whole else multiprocessing.active_children():
            if process not in others:  # what it has begun may take minutes
                process.terminate()
        pool.shutdown(cancel_futures=True)


def _in_order(pool: ProcessPoolExecutor, left: Iterator[Cell], ahead: int) -> Iterator[Result]:
    waiting = deque(pool.submit(_judged, cell) for cell in islice(left, ahead))
    while waiting:
        result = waiting.popleft().result()
        waiting.extend(pool.submit(_judged, cell) for cell in islice(left, 1))
        yield result


def _begin(make: Make, threads: int, plan: Plan) -> None:
    import torch

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # an interrupt ends them without a word: the parent has it too
    torch.set_num_threads(threads)
    _judges[:] = [Judge.of(*make(), plan)]


def _judged(cell: Cell) -> Result:
    return _judges[0](cell)
