"""A store: the database and the folders of weights of one server, and the steps that concern both."""

import json
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy.orm import Session

from metaglot.data.locks import writing
from metaglot.errors import MetaglotError
from metaglot.serving.store import jobs, keys, tasks
from metaglot.serving.store.database import Database, UnavailableError, open_database, sqlite_url
from metaglot.serving.store.tables import Fact, Job, Task, Version
from metaglot.serving.store.weights import Weights

T = TypeVar("T")
PATIENCE = 120  # seconds that a finished adaptation waits for a database that is away
MODEL = "model_sha256"
MODEL_NAME = "model"


class FullError(Exception):
    """The versions of a tenant would have more bytes than they may."""


class Recovered(NamedTuple):
    """What a server found at its start."""

    again: int  # jobs that run again
    failed: int  # jobs that were given up
    swept: int  # folders that no version has


@dataclass(frozen=True)
class Store:
    """Where a server keeps all that it must not lose."""

    database: Database
    weights: Weights
    _folders: threading.Lock = field(default_factory=threading.Lock)  # so that no folder goes that a version gets

    def recover(self) -> Recovered:
        """Put right what a server that was killed left."""
        self.weights.prepare()
        with self.database.write() as session:
            again, failed = jobs.recover(session)
            kept = tasks.digests(session)
            for one in tasks.uncounted(session):
                one.bytes = self.weights.size(one.digest)
        self.tidy()
        return Recovered(again, failed, self.weights.sweep(kept))

    def tidy(self) -> None:
        """Forget what is known for a time alone: idempotency keys, and jobs that have ended."""
        with self.database.write() as session:
            keys.expire(session)
            jobs.expire(session)

    def belong(self, model: str, sha256: str) -> None:
        """Note the model of the store; raise MetaglotError where its tasks were adapted over another."""
        with self.database.write() as session:
            known, name = session.get(Fact, MODEL), session.get(Fact, MODEL_NAME)
            if known is None or name is None or not tasks.digests(session):
                session.merge(Fact(name=MODEL, value=sha256))
                session.merge(Fact(name=MODEL_NAME, value=model))
            elif known.value != sha256:
                raise MetaglotError(
                    f"the tasks of this store were adapted over other weights ({name.value}) than those of {model}; "
                    "serve that model, or name another folder with --store"
                )

    def finish(self, job_id: str, part: Path, made: tasks.Made, *, most: int | None = None) -> Job | None:
        """Keep what a job made: its folder, then its version, examples and outcome in one transaction.

        None where the task was deleted meanwhile; raises FullError where its tenant would have more than `most` bytes.
        """
        with self._folders:
            digest = self.weights.keep(part)
            made = made._replace(digest=digest, bytes=self.weights.size(digest))
        try:  # the lock is free between two tries, so that tasks can be removed where the disk is full
            job = patiently(lambda: self._commit(job_id, made, most))
        except FullError:
            self._drop(digest)
            raise
        if job is None:
            self._drop(digest)
        return job

    def _commit(self, job_id: str, made: tasks.Made, most: int | None) -> Job | None:
        with self._folders, self.database.write() as session:
            self._check_there(made.digest)
            job = session.get(Job, job_id)
            task = None if job is None else session.get(Task, job.task_id)
            if job is None or task is None:
                return None
            if job.state != jobs.DONE:  # else an earlier commit stood, and only its answer was lost
                sent: Sequence[dict[str, Any]] = (job.request or {}).get("examples", [])
                jobs.finish(job, _add(session, task, made, sent, most).number)
            return job

    def adopt(
        self,
        step: Callable[[Session], Task],
        part: Path,
        made: tasks.Made,
        examples: Sequence[dict[str, Any]],
        *,
        most: int | None = None,
    ) -> str:
        """Keep what was adapted elsewhere as the first version of a task that a step makes, and return its id.

        Raises FullError as `finish` does, and what the step raises.
        """
        with self._folders:
            digest = self.weights.keep(part)
            made = made._replace(digest=digest, bytes=self.weights.size(digest))
        try:
            with self._folders, self.database.write() as session:
                self._check_there(digest)
                task = step(session)
                session.flush()
                _add(session, task, made, examples, most)
                return task.id
        except BaseException:
            self._drop(digest)
            raise

    def _check_there(self, digest: str) -> None:
        """Raise FileNotFoundError where weights went, since a task of equal ones was removed meanwhile."""
        if not self.weights.path(digest).is_dir():
            raise FileNotFoundError(digest)

    def _drop(self, digest: str) -> None:
        """Remove weights that no version has."""
        with self._folders:
            with self.database.read() as session:
                used = tasks.is_kept(session, digest)
            if not used:
                self.weights.remove(digest)

    def remove(self, tenant: str, task_id: str) -> list[str] | None:
        """Remove a task of a tenant, and return the hashes of weights that went with it; None where there is none."""
        with self._folders:
            with self.database.write() as session:
                task = tasks.mine(session, tenant, task_id)
                gone = None if task is None else tasks.remove(session, task)
            for digest in gone or ():
                self.weights.remove(digest)
            return gone


def _add(
    session: Session, task: Task, made: tasks.Made, examples: Sequence[dict[str, Any]], most: int | None
) -> Version:
    """Return a new version; raise FullError where the tenant would have more than so many bytes."""
    made = made._replace(bytes=made.bytes + sum(len(json.dumps(one)) for one in examples))
    if most is not None and tasks.size(session, task.tenant) + made.bytes > most:
        raise FullError
    return tasks.add_version(session, task, made, examples)


def patiently(step: Callable[[], T], *, seconds: float = PATIENCE) -> T:
    """Return what a step returns, which is tried again while the database is away; then raise UnavailableError."""
    end = time.monotonic() + seconds
    while True:
        try:
            return step()
        except UnavailableError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


@contextmanager
def open_store(folder: Path, database: str | None = None) -> Generator[Store]:
    """Give the store in a folder, which only one server holds at a time; raise MetaglotError where it cannot be had."""
    with writing(folder):
        _make(folder)
        store = Store(open_database(database or sqlite_url(folder / "metaglot.sqlite")), Weights(folder / "weights"))
        try:
            yield store
        finally:
            store.database.close()


@contextmanager
def open_tokens(folder: Path, database: str | None = None) -> Generator[Database]:
    """Give the database of a store alone, while a server may hold it."""
    if database is None:
        _make(folder)
    opened = open_database(database or sqlite_url(folder / "metaglot.sqlite"))
    try:
        yield opened
    finally:
        opened.close()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise MetaglotError(f"--store {folder}: cannot be made: {error.strerror}; choose another folder") from error
