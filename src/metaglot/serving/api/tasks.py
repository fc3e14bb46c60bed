"""`/v1/tasks`: what a tenant has."""

from functools import partial

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from metaglot.serving.api.begin import accepted, begin, check, check_queue, fingerprint, outcome
from metaglot.serving.api.checks import (
    check_bytes,
    check_examples,
    check_labels,
    check_marked,
    check_room,
    check_versions,
)
from metaglot.serving.api.context import TASK_ID, After, Context, Ctx, IdempotencyKey, PageSize, TaskId, Tenant
from metaglot.serving.api.problems import ProblemError, not_found
from metaglot.serving.api.told import ADAPTS, ERRORS, task_info
from metaglot.serving.examples import check_more, check_new, family_name, named
from metaglot.serving.forms.answers import JobInfo, TaskInfo, TaskPage
from metaglot.serving.forms.requests import MoreExamples, NewTask
from metaglot.serving.store import jobs, tasks
from metaglot.serving.store.tables import Job
from metaglot.serving.store.tasks import Answering

router = APIRouter(tags=["tasks"], responses=ERRORS)


@router.post("/v1/tasks", status_code=201, responses=ADAPTS)
async def create(
    request: Request, response: Response, body: NewTask, context: Ctx, tenant: Tenant, key: IdempotencyKey = None
) -> TaskInfo | JobInfo:
    """Learn a new task from examples; 201 and the task, or 202 and a job where that takes longer than `wait`."""
    asked = fingerprint(request, body)
    await check_queue(context, tenant, key, asked)
    family = body.family or await context.aside(family_name, body.examples)
    await context.aside(partial(_check_new, context, body, family))

    def step(session: Session) -> Job:
        check_room(tasks.count(session, tenant), context.limits)
        check_bytes(tasks.size(session, tenant), context.limits)
        task = tasks.create(session, tenant, body.name, family, body.effort)
        return jobs.submit(session, task, jobs.CREATE, body.model_dump(include={"examples", "seed"}))

    job = await begin(context, tenant, key, asked, step)
    job = await outcome(context, tenant, job, body.wait)
    check(job)
    if job.state != jobs.DONE:
        return accepted(job, response)
    response.headers["Location"] = f"/v1/tasks/{job.task_id}"
    return task_info(await found(context, tenant, job.task_id))


def _check_new(context: Context, body: NewTask, family: str) -> None:
    check_examples(body.examples, context.limits)
    check_new(body.examples, named(family))
    check_labels(body.examples, named(family), context.limits)
    check_marked(body.examples, named(family), context.limits)


@router.get("/v1/tasks")
async def listed(context: Ctx, tenant: Tenant, after: After = None, limit: PageSize = 100) -> TaskPage:
    """Return the tasks of the tenant, the oldest first."""

    def step(session: Session) -> list[Answering]:
        last = None if after is None or not TASK_ID.fullmatch(after) else tasks.mine(session, tenant, after)
        if after is not None and last is None:
            raise not_found("task", "after")
        return tasks.page(session, tenant, after=last, limit=limit)

    page = await context.reading(step)
    return TaskPage(tasks=[task_info(one) for one in page], next=page[-1].task.id if len(page) == limit else None)


@router.get("/v1/tasks/{task_id}")
async def one(context: Ctx, tenant: Tenant, task_id: TaskId) -> TaskInfo:
    """Return a task."""
    return task_info(await found(context, tenant, task_id))


@router.delete("/v1/tasks/{task_id}", status_code=204)
async def remove(context: Ctx, tenant: Tenant, task_id: TaskId) -> None:
    """Remove a task with its versions, examples and jobs."""
    gone = await context.aside(context.store.remove, tenant, task_id)
    if gone is None:
        raise not_found("task", "id")
    for digest in gone:
        context.answerer.forget(digest)


@router.post("/v1/tasks/{task_id}/examples", responses=ADAPTS)
async def add(
    request: Request,
    response: Response,
    body: MoreExamples,
    context: Ctx,
    tenant: Tenant,
    task_id: TaskId,
    key: IdempotencyKey = None,
) -> TaskInfo | JobInfo:
    """Learn more examples; the new version answers once it is there, and the one before can be brought back."""
    before = await found(context, tenant, task_id)
    if before.version is None:
        raise still_adapting()
    asked = fingerprint(request, body)
    await check_queue(context, tenant, key, asked)
    await context.aside(partial(_check_more, context, body, before))

    def step(session: Session) -> Job:
        task = tasks.mine(session, tenant, task_id)
        if task is None:
            raise not_found("task", "id")
        check_versions(tasks.count_versions(session, task) + jobs.adding(session, task), context.limits)
        check_bytes(tasks.size(session, tenant), context.limits)
        return jobs.submit(session, task, jobs.ADD, body.model_dump(include={"examples"}))

    job = await begin(context, tenant, key, asked, step)
    job = await outcome(context, tenant, job, body.wait)
    check(job)
    if job.state != jobs.DONE:
        return accepted(job, response)
    return task_info(await found(context, tenant, task_id))


def _check_more(context: Context, body: MoreExamples, before: Answering) -> None:
    family, version = named(before.task.family), before.version
    assert version is not None
    check_examples(body.examples, context.limits, count=version.examples)
    check_more(body.examples, family)
    check_labels(body.examples, family, context.limits, version.labels)
    check_marked(body.examples, family, context.limits)


async def found(context: Context, tenant: str, task_id: str) -> Answering:
    """Return a task of the tenant and its version; raise ProblemError where there is none."""
    mine = await context.reading(lambda session: tasks.answering(session, tenant, [task_id]))
    if task_id not in mine:
        raise not_found("task", "id")
    return mine[task_id]


def still_adapting() -> ProblemError:
    """Return the answer for a task whose first version is not there yet."""
    return ProblemError(409, "the task is still being learnt; follow its job, or try again", field="id", retry_after=1)
