"""Episodes ahead of time: those of the next step are drawn by a thread while this one is learnt from."""

import time
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import torch

from metaglot.types import Episode, Snapshot, TaskDistribution


class Feed:
    """Gives the episodes of one step after the other.

    An episode is a function of (seed, n, snapshot), so drawing ahead changes nothing but time.  It is done while the
    sampler's snapshot stays as it is; for one that learns at every step, episodes are drawn when they are asked for.
    """

    def __init__(
        self, distribution: TaskDistribution, seed: int, count: int, own: Sequence[int], pool: ThreadPoolExecutor
    ) -> None:
        self._distribution = distribution
        self._seed = seed
        self._count = count  # episodes a step
        self._own = own  # which of them this process draws
        self._pool = pool
        self._ahead: tuple[int, Snapshot, Future[list[Episode]]] | None = None
        self._last: Snapshot | None = None

    def step(self, number: int, snapshot: Snapshot) -> tuple[list[Episode], float]:
        """Return its episodes of a step and the seconds waited for them; begin to draw those of the next."""
        began = time.perf_counter()
        episodes = self._taken(number, snapshot)
        waited = time.perf_counter() - began
        settled = self._last is None or _same(self._last, snapshot)
        self._last = snapshot
        if settled:
            self._ahead = (number + 1, snapshot, self._pool.submit(self._drawn, number + 1, snapshot))
        return episodes, waited

    def _taken(self, number: int, snapshot: Snapshot) -> list[Episode]:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == number and _same(ahead[1], snapshot):
            return ahead[2].result()
        return self._drawn(number, snapshot)

    def _drawn(self, step: int, snapshot: Snapshot) -> list[Episode]:
        first = step * self._count
        return [self._distribution(self._seed, first + i, snapshot) for i in self._own]


def _same(first: Snapshot, second: Snapshot) -> bool:
    if first is second:
        return True
    return first.keys() == second.keys() and all(torch.equal(v, second[n]) for n, v in first.items())


@contextmanager
def feed(distribution: TaskDistribution, seed: int, count: int, *, own: Sequence[int] | None = None) -> Generator[Feed]:
    """Give a feed of a step's `count` episodes, or of those with the numbers `own`; its thread ends with the block."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="episodes")
    try:
        yield Feed(distribution, seed, count, range(count) if own is None else own, pool)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
