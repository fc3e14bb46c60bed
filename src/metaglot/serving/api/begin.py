"""Beginning a job under an idempotency key, and waiting for it."""

import hashlib
import time
from collections.abc import Callable

from fastapi import Request, Response
from sqlalchemy.orm import Session

from metaglot.serving.api.context import Context
from metaglot.serving.api.problems import ProblemError, not_found
from metaglot.serving.forms.answers import JobInfo
from metaglot.serving.forms.texts import Form
from metaglot.serving.jobs.work import SERVER
from metaglot.serving.store import jobs, keys
from metaglot.serving.store.tables import Job

ENDED = (jobs.DONE, jobs.FAILED)


def fingerprint(request: Request, body: Form) -> str:
    """Return a hash of what a request asks for, however long it waits."""
    content = f"{request.method} {request.url.path} {body.model_dump_json(exclude={'wait'})}"
    return hashlib.sha256(content.encode()).hexdigest()


async def check_queue(context: Context, tenant: str, key: str | None, print_of_request: str) -> None:
    """Raise ProblemError where a new job would not be taken, before anything is done for it; `begin` asks again."""

    def step(session: Session) -> None:
        if key is None or keys.job_of(session, tenant, key, print_of_request) is None:
            _check_queue(session, context, tenant)

    await context.reading(step)


async def begin(
    context: Context, tenant: str, key: str | None, print_of_request: str, step: Callable[[Session], Job]
) -> Job:
    """Return the job that a step begins, or that began under the same key before."""

    def run(session: Session) -> Job:
        known = None if key is None else keys.job_of(session, tenant, key, print_of_request)
        job = None if known is None else session.get(Job, known)
        if known is not None and job is None:
            raise ProblemError(404, "what began under this key was deleted", field="Idempotency-Key")
        if job is not None and not (job.state == jobs.FAILED and job.fault == SERVER):
            return job
        _check_queue(session, context, tenant)
        new = step(session)
        session.flush()
        if key is not None:
            keys.remember(session, tenant, key, print_of_request, new.id)
        return new

    job = await context.writing(run)
    context.dispatcher.wake()
    return job


def _check_queue(session: Session, context: Context, tenant: str) -> None:
    if jobs.waiting(session, tenant) >= context.limits.waiting_jobs:
        most = context.limits.waiting_jobs
        raise ProblemError(429, f"{most} adaptations wait already; try again once some are done", retry_after=2)
    if jobs.waiting_of_all(session) >= context.limits.all_waiting_jobs:
        raise ProblemError(503, "too many adaptations wait; try again later", retry_after=5)


async def outcome(context: Context, tenant: str, job: Job, seconds: float) -> Job:
    """Return the job once it has ended, or as it stands after so many seconds."""
    end = time.monotonic() + seconds
    while job.state not in ENDED:
        future = context.dispatcher.watch(job.id)
        try:
            job = await find(context, tenant, job.id)
            left = end - time.monotonic()
            if job.state in ENDED or left <= 0 or context.dispatcher.leaving:
                return job
            await context.dispatcher.wait(future, left)
        finally:
            context.dispatcher.unwatch(job.id, future)
    return job


async def find(context: Context, tenant: str, job_id: str) -> Job:
    """Return the tenant's job of this id; raise ProblemError where there is none."""
    job = await context.reading(lambda session: jobs.mine(session, tenant, job_id))
    if job is None:
        raise not_found("job", "id")
    return job


def check(job: Job) -> None:
    """Raise ProblemError where a job has failed."""
    if job.state == jobs.FAILED:
        reason = job.reason or "it failed"
        if job.fault == SERVER:
            raise ProblemError(503, f"adapting failed: {reason}; try again", retry_after=5)
        raise ProblemError(422, reason, field="examples")


def accepted(job: Job, response: Response) -> JobInfo:
    """Return the answer for a job that goes on."""
    response.status_code = 202
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    response.headers["Retry-After"] = "1"
    return job_info(job)


def job_info(job: Job) -> JobInfo:
    """Return what is told of a job."""
    fields = {name: getattr(job, name) for name in JobInfo.model_fields if name != "task"}
    return JobInfo(task=job.task_id, **fields)
