"""What is told of tasks and versions, and what the pages of the API say of errors."""

from typing import Any

from metaglot.serving.forms.answers import JobInfo, Problem, TaskInfo, VersionInfo
from metaglot.serving.store.tables import Version
from metaglot.serving.store.tasks import Answering

CAUSES = {
    400: "The body is no JSON.",
    401: "No token, or none that is valid.",
    403: "The token is for something else.",
    404: "There is no such thing, or it is another tenant's.",
    408: "The body did not come in time.",
    409: "The task is still being learnt.",
    413: "The body is too long.",
    415: "The body is not said to be application/json.",
    421: "Another name of the host than a server without tokens answers to.",
    422: "A field is wrong; `errors` says which and why.",
    429: "Too many requests or jobs; Retry-After says when to come back.",
    500: "The server is at fault; its log says more.",
    503: "Too many requests of all tenants, or no database; Retry-After says when to come back.",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": cause} for status, cause in CAUSES.items()
}
ADAPTS: dict[int | str, dict[str, Any]] = {
    202: {"model": JobInfo, "description": "It goes on: follow the job, whose place is in the header Location."}
}


def task_info(one: Answering) -> TaskInfo:
    """Return what is told of a task."""
    task, version = one
    return TaskInfo(
        id=task.id,
        name=task.name,
        family=task.family,
        effort=task.effort,
        created=task.created,
        state="adapting" if version is None else "ready",
        version=None if version is None else version_info(version),
    )


def version_info(version: Version) -> VersionInfo:
    """Return what is told of a version."""
    return VersionInfo.model_validate({name: getattr(version, name) for name in VersionInfo.model_fields})
