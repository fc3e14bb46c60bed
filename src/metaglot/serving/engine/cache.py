"""Tasks in memory, those that were asked last, within a number of bytes; the others are loaded when they are asked.

A task that is loaded for predictions alone is small: its head, its labels.  One that explains, or tells texts of none
of the classes, has the features of its examples too, and takes the place of the small one.
"""

import asyncio
import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Generic, TypeVar

from torch import Tensor

from metaglot.adaptation import Adapted

K = TypeVar("K", bound=Hashable)
BOUND = 256 << 20  # bytes
SCOPE = 3  # the features of examples, in single precision, and once more in double for the border around classes
OBJECT = 2048  # bytes of the objects around the tensors of a task (`benchmarks/serving.py`)


@dataclass(frozen=True)
class CacheStats:
    """What a cache holds, and what it did."""

    tasks: int = 0
    bytes: int = 0
    hits: int = 0
    misses: int = 0
    evicted: int = 0


class Cache(Generic[K]):
    """Tasks by their keys; any thread may ask.

    Parameters
    ----------
    load : callable
        From a key, and whether the examples are needed, to the task; it runs in the thread that asks first, and all
        others that ask for the same task wait for it.
    limit_bytes : int, optional
        How many bytes of tasks are kept; the one asked last is always kept.
    """

    def __init__(self, load: Callable[[K, bool], Adapted], *, limit_bytes: int = BOUND) -> None:
        self._load, self._limit = load, limit_bytes
        self._hot: OrderedDict[K, tuple[Adapted, int]] = OrderedDict()  # the one asked last at the end
        self._loading: dict[tuple[K, bool], Future[Adapted]] = {}
        self._lock = Lock()
        self._stats = CacheStats()

    @property
    def stats(self) -> CacheStats:
        """What it holds, and what it did."""
        with self._lock:
            return replace(self._stats, tasks=len(self._hot))

    def get(self, key: K, *, whole: bool = False) -> Adapted:
        """Return a task, loaded if need be; `whole`: with the features of its examples.

        Raises what the loader raises; then nothing is kept, and the next who asks loads again.
        """
        with self._lock:
            task = self._found(key, whole=whole)
            if task is not None:
                return task
            pending, mine = self._loading.get((key, whole)), Future[Adapted]()
            if pending is None:
                self._loading[key, whole] = mine
                self._stats = replace(self._stats, misses=self._stats.misses + 1)
        return self._loaded(key, mine, whole=whole) if pending is None else pending.result()

    async def fetch(self, key: K, *, whole: bool = False) -> Adapted:
        """Return `get`, without a thread where the task is in memory."""
        with self._lock:
            task = self._found(key, whole=whole)
        return task if task is not None else await asyncio.to_thread(self.get, key, whole=whole)

    def put(self, key: K, task: Adapted) -> None:
        """Keep a task that is there already, in place of an earlier one of the key."""
        with self._lock:
            self._keep(key, task)

    def drop(self, key: K) -> None:
        """Forget a task; who has it goes on, and what is being loaded is not kept."""
        with self._lock:
            self._forget(key)
            for whole in (False, True):
                self._loading.pop((key, whole), None)

    def _found(self, key: K, *, whole: bool) -> Adapted | None:
        hot = self._hot.get(key)
        if hot is None or (whole and not is_whole(hot[0])):
            return None
        self._hot.move_to_end(key)
        self._stats = replace(self._stats, hits=self._stats.hits + 1)
        return hot[0]

    def _loaded(self, key: K, mine: Future[Adapted], *, whole: bool) -> Adapted:
        try:
            task = self._load(key, whole)
        except BaseException as error:
            with self._lock:
                self._ended(key, mine, whole=whole)
            mine.set_exception(error)
            raise
        with self._lock:
            if self._ended(key, mine, whole=whole):
                self._keep(key, task)
        mine.set_result(task)
        return task

    def _ended(self, key: K, mine: Future[Adapted], *, whole: bool) -> bool:
        """Take a load from the list, and return whether it was still there: the task was not dropped meanwhile."""
        if self._loading.get((key, whole)) is not mine:
            return False
        del self._loading[key, whole]
        return True

    def _keep(self, key: K, task: Adapted) -> None:
        before = self._hot.get(key)
        if before is not None and is_whole(before[0]) and not is_whole(task):
            return  # a load for predictions alone ended after one of the whole
        self._forget(key)
        size = bytes_of(task)
        self._hot[key] = task, size
        self._stats = replace(self._stats, bytes=self._stats.bytes + size)
        while self._stats.bytes > self._limit and len(self._hot) > 1:
            self._forget(next(iter(self._hot)))
            self._stats = replace(self._stats, evicted=self._stats.evicted + 1)

    def _forget(self, key: K) -> None:
        hot = self._hot.pop(key, None)
        if hot is not None:
            self._stats = replace(self._stats, bytes=self._stats.bytes - hot[1])


def is_whole(task: Adapted) -> bool:
    """Whether a task has what it was made of, if there is anything: features of examples, or examples."""
    return task.fit.units is not None or len(task.examples) > 0 or bool(task.fit.provenance)


def bytes_of(task: Adapted) -> int:
    """Return how many bytes a task holds, without the encoder that it shares."""
    fit = task.fit
    units: tuple[Any, ...] = () if fit.units is None else tuple(fit.units)
    texts = [text for row in fit.examples.inputs.rows() for text in row if text]
    words = sum(map(sys.getsizeof, (*fit.labels, *texts)))
    return OBJECT + _size(list(fit.params.values())) + SCOPE * _size(list(units)) + words


def _size(tensors: list[Tensor]) -> int:
    """Return the bytes of the memory behind tensors; memory that several share counts once."""
    return sum({one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in tensors}.values())
