"""Who gives jobs to the worker, one after another, tenants in turn, and tells those who wait."""

import asyncio
import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.orm import Session

from metaglot.serving.jobs.work import REQUEST, SERVER, Order, OrderError, Worker
from metaglot.serving.limits import Limits
from metaglot.serving.store import jobs, tasks
from metaglot.serving.store.database import UnavailableError
from metaglot.serving.store.store import FullError, Store, patiently
from metaglot.serving.store.tables import Job, Task

LOG = logging.getLogger("metaglot.serving.jobs")
TIDY = 3600.0  # seconds between two times that old keys and jobs are forgotten
IDLE = 1.0  # seconds between two looks at the queue, where nobody says that there is something new


class _Taken(NamedTuple):
    job: str
    tenant: str
    order: Order
    parent: int | None  # the version to which examples are added
    examples: int  # that it has


class Dispatcher:
    """A thread that takes jobs from the store and lets a worker do them."""

    def __init__(self, store: Store, worker: Worker, limits: Limits, *, finished: Callable[[Job], None]) -> None:
        self._store, self._worker, self._limits, self._finished = store, worker, limits, finished
        self._new = threading.Event()
        self._closed = threading.Event()
        self._served: list[str] = []  # tenants, the one served last at the end
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)
        self.ready = False  # whether the worker can begin at once
        self.leaving = False  # whether nobody is to wait for a job any more
        self._watched: dict[str, set[asyncio.Future[None]]] = {}
        self._watching = threading.Lock()
        self._tidied = 0.0  # when old keys and jobs were forgotten last, by the monotonic clock

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Say that there is a new job."""
        self._new.set()

    def close(self) -> None:
        """End; a job that runs is found by the next server."""
        self._closed.set()
        self._new.set()
        self._worker.close()
        self._thread.join(timeout=30)

    def leave(self) -> None:
        """Let go all who wait for jobs: the server ends."""
        self.leaving = True
        with self._watching:
            watched = list(self._watched)
        for job_id in watched:
            self._tell(job_id)

    async def wait(self, future: "asyncio.Future[None]", seconds: float) -> None:
        """Wait for a future of `watch`, for so many seconds at most."""
        await asyncio.wait([future], timeout=seconds)

    def watch(self, job_id: str) -> "asyncio.Future[None]":
        """Return a future that is done when the job changes next."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._watching:
            self._watched.setdefault(job_id, set()).add(future)
        return future

    def unwatch(self, job_id: str, future: "asyncio.Future[None]") -> None:
        """Forget a future of `watch`."""
        with self._watching:
            own = self._watched.get(job_id, set())
            own.discard(future)
            if not own:
                self._watched.pop(job_id, None)
        future.cancel()

    def _tell(self, job_id: str) -> None:
        with self._watching:
            futures = list(self._watched.get(job_id, ()))
        for future in futures:
            future.get_loop().call_soon_threadsafe(_done, future)

    def _run(self) -> None:
        if not self._begun():
            return
        self._tidied = time.monotonic()
        while not self._closed.is_set():
            try:
                self._next()
            except UnavailableError:
                LOG.warning("database away")
                self._closed.wait(IDLE)
            except Exception:  # whatever it is: a job that was lost by it is found by the next server, others go on
                LOG.exception("no job can be done")
                self._closed.wait(IDLE)

    def _next(self) -> None:
        """Do the next job, or wait a little for one; raise UnavailableError before any is taken."""
        if time.monotonic() > self._tidied + TIDY:
            self._store.tidy()
            self._tidied = time.monotonic()
        taken = self._take()
        if taken is None:
            self._new.wait(IDLE)
            self._new.clear()
        else:
            self._do(taken)

    def _begun(self) -> bool:
        """Make the worker ready; say in the log where that fails, and that nothing will be adapted."""
        try:
            self._worker.start()
        except Exception:
            if not self._closed.is_set():
                LOG.exception("nothing can be adapted")
            return False
        self.ready = True
        return True

    def _take(self) -> _Taken | None:
        with self._store.database.write() as session:
            job = jobs.next_queued(session, self._served)
            if job is None:
                return None
            jobs.start(job)
            taken = self._taken(session, job)
        self._served = [*(one for one in self._served if one != taken.tenant), taken.tenant][-1000:]
        self._tell(taken.job)
        return taken

    def _taken(self, session: Session, job: Job) -> _Taken:
        task = session.get_one(Task, job.task_id)
        version = tasks.version(session, task, task.current)
        before = None if version is None else self._store.weights.path(version.digest)
        return _Taken(
            job.id, job.tenant, self._order(job, task, before), task.current, 0 if version is None else version.examples
        )

    def _order(self, job: Job, task: Task, before: Path | None) -> Order:
        request = job.request or {}
        return Order(
            family=task.family,
            effort=task.effort,
            seed=request.get("seed", 0),
            examples=request.get("examples", []),
            before=None if before is None else str(before),
            part=str(self._store.weights.part()),
        )

    def _do(self, taken: _Taken) -> None:
        began = time.monotonic()
        try:
            job = self._made(taken)
        except UnavailableError:  # for long: the job is still marked as one that runs
            LOG.error("job lost its database", extra={"job": taken.job})
            job = self._again(taken)
        if job is not None:
            LOG.info("job", extra={"job": job.id, "state": job.state, "seconds": round(time.monotonic() - began, 3)})
            self._finished(job)
        self._tell(taken.job)

    def _made(self, taken: _Taken) -> Job | None:
        """Return the job with what came of it; None where it was deleted meanwhile, or the server closes."""
        try:
            if taken.examples + len(taken.order.examples) > self._limits.examples:  # others were added while it waited
                raise OrderError(f"a task has {self._limits.examples:,} examples at most", REQUEST)
            done = self._worker.run(taken.order, self._limits.job_seconds)
            made = tasks.Made("", done.labels, done.examples, done.expected, done.seconds, taken.parent)
            most = self._limits.tenant_megabytes << 20
            return self._store.finish(taken.job, Path(taken.order.part), made, most=most)
        except OrderError as error:
            reason, fault = error.reason, error.fault
        except FullError:
            most = self._limits.tenant_megabytes
            reason, fault = f"your tasks would have more than {most:,} MB on the disk; delete some", REQUEST
        except UnavailableError:
            raise
        except Exception as error:
            LOG.exception("job failed", extra={"job": taken.job})
            reason, fault = f"{type(error).__name__} in the server", SERVER
        shutil.rmtree(taken.order.part, ignore_errors=True)  # what was written before it failed
        if self._closed.is_set():
            return None
        return patiently(lambda: self._failed(taken.job, reason, fault))

    def _failed(self, job_id: str, reason: str, fault: str) -> Job | None:
        with self._store.database.write() as session:
            job = session.get(Job, job_id)
            if job is not None:
                jobs.fail(session, job, reason, fault)
            return job

    def _again(self, taken: _Taken) -> None:
        while not self._closed.wait(IDLE):
            try:
                with self._store.database.write() as session:
                    job = session.get(Job, taken.job)
                    if job is not None and job.state == jobs.RUNNING:
                        job.state = jobs.QUEUED
                return
            except UnavailableError:
                continue


def _done(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
