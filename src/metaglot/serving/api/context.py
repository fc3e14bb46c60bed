"""What every route has at hand, and what it asks of a request."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import anyio
from anyio import CapacityLimiter
from fastapi import Depends, Header, Query, Request
from sqlalchemy.orm import Session

from metaglot.serving.answering import Answerer
from metaglot.serving.api.meters import Meters
from metaglot.serving.api.problems import ProblemError, not_found
from metaglot.serving.jobs.dispatcher import Dispatcher
from metaglot.serving.limits import Limits
from metaglot.serving.store.store import Store

T = TypeVar("T")
TASK_ID, JOB_ID = re.compile(r"task_[0-9a-f]{32}"), re.compile(r"job_[0-9a-f]{32}")
KEY = re.compile(r"[\x21-\x7e]{1,200}")
THREADS = 16  # that wait for the database


@dataclass(frozen=True)
class Context:
    """The parts of a server."""

    store: Store
    dispatcher: Dispatcher
    answerer: Answerer
    limits: Limits
    model: str  # its name
    open: bool = False  # whether requests without a token are let in until there is one
    meters: Meters = field(default_factory=Meters)
    followers: Counter[str] = field(default_factory=Counter[str])  # of jobs, by tenant
    _database_threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(THREADS))
    _threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(2 * THREADS))

    async def reading(self, step: Callable[[Session], T]) -> T:
        """Return what a step that reads the database returns."""

        def run() -> T:
            with self.store.database.read() as session:
                return step(session)

        return await anyio.to_thread.run_sync(run, limiter=self._database_threads)

    async def writing(self, step: Callable[[Session], T]) -> T:
        """Return what a step that writes the database returns, once that stands."""

        def run() -> T:
            with self.store.database.write() as session:
                return step(session)

        return await anyio.to_thread.run_sync(run, limiter=self._database_threads)

    async def aside(self, step: Callable[..., T], *arguments: Any) -> T:
        """Return what a step returns that computes for a while."""
        return await anyio.to_thread.run_sync(step, *arguments, limiter=self._threads)


def _context(request: Request) -> Context:
    return request.app.state.context


def _tenant(request: Request) -> str:
    return request.state.tenant


def checked_task(task_id: str) -> str:
    """Return the id of a task; raise ProblemError where it is none."""
    if not TASK_ID.fullmatch(task_id):
        raise not_found("task", "id")
    return task_id


def _job_id(job_id: str) -> str:
    if not JOB_ID.fullmatch(job_id):
        raise not_found("job", "id")
    return job_id


def _key(
    idempotency_key: Annotated[str | None, Header(description="Of this request alone, such as a UUID.")] = None,
) -> str | None:
    if idempotency_key is not None and not KEY.fullmatch(idempotency_key):
        raise ProblemError(422, "must be 1 to 200 characters of ASCII without spaces", field="Idempotency-Key")
    return idempotency_key


Ctx = Annotated[Context, Depends(_context)]
Tenant = Annotated[str, Depends(_tenant)]
TaskId = Annotated[str, Depends(checked_task)]
JobId = Annotated[str, Depends(_job_id)]
IdempotencyKey = Annotated[str | None, Depends(_key)]
After = Annotated[str | None, Query(max_length=64, description="`next` of the page before.")]
PageSize = Annotated[int, Query(ge=1, le=500)]
