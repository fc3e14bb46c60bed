"""Requests wait a little for one another, and are answered together.

A batch is what waits when the worker is free: as many requests as fit, one of each tenant in turn.  The first request
waits at most a few milliseconds for others, and not at all where a batch is full.  While the model works, the next
batch gathers.  A tenant with a long queue delays itself and nobody else: round-robin, Nagle 1985,
https://www.rfc-editor.org/rfc/rfc970.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from metaglot.errors import MetaglotError
from metaglot.serving.engine.request import Answer, Request

T = TypeVar("T")
LEAST_WAIT = 0.1  # seconds that a client is told to wait, at least
SMOOTHING = 0.9  # of the rate of texts: how much the earlier batches weigh
SLOWEST = 50.0  # texts a second, before any batch has been measured

Outcomes = Callable[[Sequence[Request]], Sequence[Answer | MetaglotError]]


@dataclass(frozen=True)
class Limits:
    """How requests wait.

    Parameters
    ----------
    max_texts : int, default=64
        The texts of a batch; a request of more is a batch of its own.
    max_delay_ms : float, default=5.0
        How long the first request of a batch waits for others, in milliseconds.
    max_waiting : int, default=2048
        The texts that wait at most.
    max_waiting_tenant : int, default=512
        The texts of one tenant that wait at most.

    Examples
    --------
    >>> from metaglot.serving.engine import Limits
    >>> Limits(max_texts=16).max_delay_ms
    5.0
    """

    max_texts: int = 64
    max_delay_ms: float = 5.0
    max_waiting: int = 2048
    max_waiting_tenant: int = 512


class Overloaded(MetaglotError):  # noqa: N818  # a state of the server, that ends by itself
    """Too much waits already, or the server is closing.

    Attributes
    ----------
    retry_after : float
        After how many seconds there should be room.
    closing : bool
        Whether the server is closing.

    Examples
    --------
    >>> from metaglot.serving.engine import Overloaded
    >>> Overloaded("2048 texts wait already", retry_after=1.5).retry_after
    1.5
    """

    def __init__(self, message: str, *, retry_after: float, closing: bool = False) -> None:
        super().__init__(message)
        self.retry_after, self.closing = retry_after, closing


@dataclass(frozen=True)
class BatchStats:
    """What a batcher has done."""

    batches: int = 0
    requests: int = 0  # that were answered, or had an error of their own
    texts: int = 0
    refused: int = 0
    cancelled: int = 0
    seconds: float = 0.0  # in which the worker was busy


@dataclass(eq=False)
class Waiting(Generic[T]):
    """A request or a function in the queue, and who waits for it."""

    tenant: str
    work: Request | Callable[[], T]
    texts: int
    future: asyncio.Future[Any]
    since: float  # by the monotonic clock


class Batcher:
    """A queue in front of an engine, for one event loop.

    Parameters
    ----------
    outcomes : callable
        What answers requests, such as `Engine.outcomes`; it runs in one thread of its own.
    limits : Limits, optional
        How requests wait.
    """

    def __init__(self, outcomes: Outcomes, limits: Limits = Limits()) -> None:
        self._outcomes, self._limits = outcomes, limits
        self._queues: OrderedDict[str, deque[Waiting[Any]]] = OrderedDict()  # of tenants, the next one first
        self._texts: dict[str, int] = {}  # that wait, by tenant
        self._news = asyncio.Event()
        self._stats = BatchStats()
        self._rate = SLOWEST
        self._closing = False
        self._worker = ThreadPoolExecutor(1, "engine")
        self._loop: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many texts wait."""
        return sum(self._texts.values())

    @property
    def stats(self) -> BatchStats:
        """What has been done."""
        return self._stats

    async def start(self) -> None:
        """Begin to answer."""
        self._closing = False
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Answer what waits, and end; who comes meanwhile is refused."""
        self._closing = True
        self._news.set()
        if self._loop is not None:
            await self._loop
        self._worker.shutdown(wait=True)

    async def submit(self, tenant: str, request: Request, *, texts: int | None = None) -> Answer:
        """Return the answer of a request; a caller that is cancelled leaves the queue.

        `texts` says as how many it counts where they are longer than most.  Raises MetaglotError where it cannot be
        answered, and Overloaded where too much waits.
        """
        return await self._enqueued(tenant, request, max(1, len(request.inputs) if texts is None else texts))

    async def call(self, tenant: str, function: Callable[[], T], *, texts: int = 1) -> T:
        """Return what a function returns that needs the model, in the thread and the turn of a request of that size."""
        return await self._enqueued(tenant, function, texts)

    async def _enqueued(self, tenant: str, work: Request | Callable[[], T], texts: int) -> Any:
        self._check_room(tenant, texts)
        one = Waiting(tenant, work, texts, asyncio.get_running_loop().create_future(), time.monotonic())
        self._queues.setdefault(tenant, deque()).append(one)
        self._texts[tenant] = self._texts.get(tenant, 0) + texts
        self._news.set()
        try:
            return await one.future
        except asyncio.CancelledError:
            self._leave(one)
            raise

    def _check_room(self, tenant: str, texts: int) -> None:
        """Raise Overloaded where a tenant, or all of them, have too much waiting; a queue that is empty takes any."""
        if self._closing:
            self._stats = replace(self._stats, refused=self._stats.refused + 1)
            raise Overloaded("the server is closing; ask again when it is back", retry_after=1.0, closing=True)
        own, every = self._texts.get(tenant, 0), self.waiting
        for count, most, whose in (
            (own, self._limits.max_waiting_tenant, "yours"),
            (every, self._limits.max_waiting, "all"),
        ):
            if count and count + texts > most:
                self._stats = replace(self._stats, refused=self._stats.refused + 1)
                wait = max(LEAST_WAIT, count / self._rate)
                raise Overloaded(
                    f"{count} texts wait already, of {whose} {most}; try again in {wait:.1f} s", retry_after=wait
                )

    def _leave(self, one: Waiting[Any]) -> None:
        queue = self._queues.get(one.tenant)
        if queue is not None and one in queue:
            queue.remove(one)
            self._left(one)
            self._stats = replace(self._stats, cancelled=self._stats.cancelled + 1)

    def _left(self, one: Waiting[Any]) -> None:
        """Note that a request is no longer in its queue."""
        self._texts[one.tenant] -= one.texts
        if not self._queues[one.tenant]:
            del self._queues[one.tenant], self._texts[one.tenant]

    async def _run(self) -> None:
        while self._queues or not self._closing:
            if not self._queues:
                self._news.clear()
                await self._news.wait()
                continue
            await self._company()
            batch = self._taken()
            if batch:
                await self._answered(batch)

    async def _company(self) -> None:
        """Wait until a batch is full, the time is over, or the server closes."""
        while self._queues and self.waiting < self._limits.max_texts and not self._closing:
            first = min(queue[0].since for queue in self._queues.values())
            left = first + self._limits.max_delay_ms / 1000 - time.monotonic()
            if left <= 0:
                return
            self._news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), left)

    def _taken(self) -> list[Waiting[Any]]:
        """Take a batch from the queues, one request of each tenant in turn."""
        batch: list[Waiting[Any]] = []
        room = self._limits.max_texts
        while self._queues:
            tenant, queue = next(iter(self._queues.items()))
            if batch and queue[0].texts > room:
                break  # it is the first of the next batch
            one = queue.popleft()
            self._queues.move_to_end(tenant)
            self._left(one)
            batch.append(one)
            room -= one.texts
        return batch

    async def _answered(self, batch: Sequence[Waiting[Any]]) -> None:
        """Answer a batch in the worker, and tell those who wait."""
        begun = time.monotonic()
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._worker, self._work, [one.work for one in batch])
        for one, outcome in zip(batch, found, strict=True):
            if one.future.done():
                continue  # cancelled while the model worked
            if isinstance(outcome, BaseException):
                one.future.set_exception(outcome)
            else:
                one.future.set_result(outcome)
        self._measured(batch, time.monotonic() - begun)

    def _measured(self, batch: Sequence[Waiting[Any]], seconds: float) -> None:
        texts, past = sum(one.texts for one in batch), self._stats
        self._rate = SMOOTHING * self._rate + (1 - SMOOTHING) * texts / max(seconds, 1e-3)
        self._stats = replace(
            past,
            batches=past.batches + 1,
            requests=past.requests + len(batch),
            texts=past.texts + texts,
            seconds=past.seconds + seconds,
        )

    def _work(self, works: Sequence[Request | Callable[[], Any]]) -> list[Any]:
        """Return what comes of each, or its exception: requests together, functions one by one."""
        requests = [work for work in works if isinstance(work, Request)]
        try:
            answers: Sequence[Any] = self._outcomes(requests) if requests else ()
        except Exception as error:  # whatever it is: those who wait are told, and the worker goes on
            answers = [error] * len(requests)
        rest = iter(answers)
        return [next(rest) if isinstance(work, Request) else _called(work) for work in works]


def _called(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except Exception as error:  # as above
        return error
