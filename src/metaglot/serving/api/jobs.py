"""`/v1/jobs`: adaptations that go on, to be asked after or followed.

Events: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import time
from collections.abc import AsyncIterator
from functools import partial

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from metaglot.serving.api.begin import ENDED, find, job_info
from metaglot.serving.api.context import JOB_ID, After, Context, Ctx, JobId, PageSize, Tenant
from metaglot.serving.api.problems import ProblemError, not_found
from metaglot.serving.api.told import ERRORS
from metaglot.serving.forms.answers import JobInfo, JobPage
from metaglot.serving.store import jobs, tokens
from metaglot.serving.store.tables import Job

BEAT = 10.0  # seconds between two signs of life
LONGEST = 3600.0  # seconds; who follows for longer asks again
router = APIRouter(tags=["jobs"], responses=ERRORS)


@router.get("/v1/jobs")
async def listed(context: Ctx, tenant: Tenant, after: After = None, limit: PageSize = 100) -> JobPage:
    """Return the jobs of the tenant, the oldest first; those of deleted tasks are gone."""

    def step(session: Session) -> list[Job]:
        last = None if after is None or not JOB_ID.fullmatch(after) else jobs.mine(session, tenant, after)
        if after is not None and last is None:
            raise not_found("job", "after")
        return jobs.page(session, tenant, after=last, limit=limit)

    page = await context.reading(step)
    return JobPage(jobs=[job_info(one) for one in page], next=page[-1].id if len(page) == limit else None)


@router.get("/v1/jobs/{job_id}")
async def one(context: Ctx, tenant: Tenant, job_id: JobId) -> JobInfo:
    """Return a job."""
    return job_info(await find(context, tenant, job_id))


@router.get("/v1/jobs/{job_id}/events", response_class=StreamingResponse)
async def follow(request: Request, context: Ctx, tenant: Tenant, job_id: JobId) -> StreamingResponse:
    """Follow a job as server-sent events: `state` with the job at each change, until it has ended."""
    job = await find(context, tenant, job_id)
    if context.followers[tenant] >= context.limits.followers:
        raise ProblemError(429, "you follow too many jobs at once; ask for them instead", retry_after=5)
    events = _events(context, tenant, job, request.state.token)
    return StreamingResponse(events, media_type="text/event-stream")


async def _events(context: Context, tenant: str, job: Job, token: str | None) -> AsyncIterator[str]:
    followers = context.followers
    followers[tenant] += 1
    end = time.monotonic() + LONGEST
    told = ""
    try:
        while True:
            future = context.dispatcher.watch(job.id)
            try:
                job = await find(context, tenant, job.id)
                if token is not None and not await context.reading(partial(tokens.is_active, token_id=token)):
                    return  # it was revoked
                if job.state != told:
                    told = job.state
                    yield f"event: state\ndata: {job_info(job).model_dump_json()}\n\n"
                else:
                    yield ": still there\n\n"
                if job.state in ENDED or time.monotonic() > end or context.dispatcher.leaving:
                    return
                await context.dispatcher.wait(future, BEAT)
            finally:
                context.dispatcher.unwatch(job.id, future)
    except ProblemError as error:  # its task was deleted
        yield f"event: gone\ndata: {error.detail}\n\n"
    finally:
        followers[tenant] -= 1
        if not followers[tenant]:
            del followers[tenant]
