"""`/v1/tasks/{id}/versions` and `/rollback`: each change of a task makes a version, and any can answer again."""

from fastapi import APIRouter
from sqlalchemy.orm import Session

from metaglot.serving.api.context import Ctx, TaskId, Tenant
from metaglot.serving.api.problems import ProblemError, not_found
from metaglot.serving.api.told import ERRORS, task_info, version_info
from metaglot.serving.forms.answers import ExampleList, TaskInfo, VersionList
from metaglot.serving.forms.requests import Rollback
from metaglot.serving.store import tasks
from metaglot.serving.store.tasks import Answering

router = APIRouter(tags=["versions"], responses=ERRORS)


@router.get("/v1/tasks/{task_id}/versions")
async def listed(context: Ctx, tenant: Tenant, task_id: TaskId) -> VersionList:
    """Return all versions of a task, the first one first."""

    def step(session: Session) -> VersionList:
        task = tasks.mine(session, tenant, task_id)
        if task is None:
            raise not_found("task", "id")
        return VersionList(versions=[version_info(one) for one in tasks.versions(session, task)], current=task.current)

    return await context.reading(step)


@router.get("/v1/tasks/{task_id}/examples", response_model_exclude_none=True)
async def examples(context: Ctx, tenant: Tenant, task_id: TaskId) -> ExampleList:
    """Return the examples that the version which answers has learnt, as they were sent."""

    def step(session: Session) -> ExampleList:
        task = tasks.mine(session, tenant, task_id)
        if task is None:
            raise not_found("task", "id")
        return ExampleList.model_validate({"examples": tasks.examples(session, task, task.current)})

    return await context.reading(step)


@router.post("/v1/tasks/{task_id}/rollback")
async def rollback(body: Rollback, context: Ctx, tenant: Tenant, task_id: TaskId) -> TaskInfo:
    """Let a version answer again; examples that are added next are added to those of it."""

    def step(session: Session) -> TaskInfo:
        task = tasks.mine(session, tenant, task_id)
        if task is None:
            raise not_found("task", "id")
        version = tasks.version(session, task, body.version)
        if version is None:
            raise ProblemError(422, "is no version of this task; GET …/versions lists them", field="version")
        task.current = version.number
        return task_info(Answering(task, version))

    return await context.writing(step)
