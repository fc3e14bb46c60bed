"""Jobs: adaptations that are asked for, and what became of them."""

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from metaglot.serving.store.ids import new_id
from metaglot.serving.store.tables import Job, Task

QUEUED, RUNNING, DONE, FAILED = "queued", "running", "done", "failed"
CREATE, ADD = "create", "add"
DAYS = 7  # that a job which has ended is known
ATTEMPTS = 3  # of a job during which the server ended


def submit(session: Session, task: Task, kind: str, request: dict[str, Any]) -> Job:
    """Return a new job for a task."""
    job = Job(
        id=new_id("job"),
        tenant=task.tenant,
        task_id=task.id,
        kind=kind,
        state=QUEUED,
        request=request,
        attempts=0,
        created=time.time(),
    )
    session.add(job)
    return job


def mine(session: Session, tenant: str, job_id: str) -> Job | None:
    """Return the tenant's job of this id."""
    return session.scalar(select(Job).where(Job.id == job_id, Job.tenant == tenant))


def page(session: Session, tenant: str, *, after: Job | None, limit: int) -> list[Job]:
    """Return jobs of the tenant in the order in which they were asked for, those after one."""
    query = select(Job).where(Job.tenant == tenant).order_by(Job.created, Job.id).limit(limit)
    if after is not None:
        query = query.where((Job.created > after.created) | ((Job.created == after.created) & (Job.id > after.id)))
    return list(session.scalars(query))


def waiting(session: Session, tenant: str) -> int:
    """Return how many jobs of the tenant are not finished."""
    query = select(func.count()).select_from(Job).where(Job.tenant == tenant, Job.state.in_((QUEUED, RUNNING)))
    return session.scalar(query) or 0


def adding(session: Session, task: Task) -> int:
    """Return how many jobs that are not finished add examples to a task."""
    unfinished = Job.state.in_((QUEUED, RUNNING))
    query = select(func.count()).select_from(Job).where(Job.task_id == task.id, Job.kind == ADD, unfinished)
    return session.scalar(query) or 0


def waiting_of_all(session: Session) -> int:
    """Return how many jobs are queued."""
    return session.scalar(select(func.count()).select_from(Job).where(Job.state == QUEUED)) or 0


def next_queued(session: Session, served: Sequence[str]) -> Job | None:
    """Return the oldest job of the tenant that was served longest ago, whose task has no job that runs.

    `served` has the tenants in the order in which they were served, the last one last.
    """
    busy = select(Job.task_id).where(Job.state == RUNNING)
    query = (
        select(Job.id, Job.tenant).where(Job.state == QUEUED, Job.task_id.not_in(busy)).order_by(Job.created, Job.id)
    )
    turns = {tenant: turn for turn, tenant in enumerate(served, start=1)}
    first = min(session.execute(query), key=lambda row: turns.get(row.tenant, 0), default=None)
    return None if first is None else session.get(Job, first.id)


def start(job: Job) -> None:
    """Say that a job runs."""
    job.state, job.started, job.attempts = RUNNING, time.time(), job.attempts + 1


def finish(job: Job, version: int) -> None:
    """Say that a job has made a version; what was sent stands in the examples now."""
    job.state, job.finished, job.version, job.request = DONE, time.time(), version, None


def fail(session: Session, job: Job, reason: str, fault: str) -> None:
    """Say that a job failed, and whose fault that was; a task that has no version goes with it."""
    job.state, job.finished, job.reason, job.fault, job.request = FAILED, time.time(), reason, fault, None
    task = session.get(Task, job.task_id)
    if task is not None and task.current is None:
        session.delete(task)


def recover(session: Session) -> tuple[int, int]:
    """Queue the jobs again that ran when the server ended, and return how many these were, and how many failed."""
    interrupted = list(session.scalars(select(Job).where(Job.state == RUNNING)))
    hopeless = [job for job in interrupted if job.attempts >= ATTEMPTS]
    for job in interrupted:
        job.state = QUEUED
    for job in hopeless:
        fail(session, job, f"the server ended {job.attempts} times while this ran; it was given up", "server")
    return len(interrupted) - len(hopeless), len(hopeless)


def expire(session: Session) -> None:
    """Forget jobs that ended long ago."""
    session.execute(delete(Job).where(Job.state.in_((DONE, FAILED)), Job.finished < time.time() - DAYS * 24 * 3600))
