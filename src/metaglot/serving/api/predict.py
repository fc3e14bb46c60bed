"""`/v1/tasks/{id}/predict`, `/v1/predict` for rows of many tasks, and `/v1/embed`."""

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any, TypeVar

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from metaglot.serving.answering import UnreadableError
from metaglot.serving.api.checks import check_inputs
from metaglot.serving.api.context import TASK_ID, Context, Ctx, TaskId, Tenant
from metaglot.serving.api.problems import ProblemError, not_found
from metaglot.serving.api.tasks import found, still_adapting
from metaglot.serving.api.told import ERRORS
from metaglot.serving.engine import Options
from metaglot.serving.forms.answers import Embeddings, ManyPredictions, Predictions
from metaglot.serving.forms.requests import Embed, Predict, PredictMany, PredictOptions
from metaglot.serving.forms.texts import as_input
from metaglot.serving.pieces import Ask
from metaglot.serving.store import tasks
from metaglot.serving.store.tables import Version

LOG = logging.getLogger("metaglot.serving")
T = TypeVar("T")
router = APIRouter(tags=["predictions"], responses=ERRORS)


@router.post("/v1/tasks/{task_id}/predict", response_model=Predictions)
async def predict(body: Predict, context: Ctx, tenant: Tenant, task_id: TaskId) -> JSONResponse:
    """Predict texts by a task."""
    inputs = [as_input(one) for one in body.inputs]
    check_inputs(inputs, context.limits, "inputs")
    version = (await found(context, tenant, task_id)).version
    if version is None:
        raise still_adapting()
    (replies,) = await _answers(context, tenant, [Ask(version.digest, inputs, _options(body))])
    return JSONResponse({"task": task_id, "version": version.number, "predictions": replies})


@router.post("/v1/predict", response_model=ManyPredictions)
async def predict_many(body: PredictMany, context: Ctx, tenant: Tenant) -> JSONResponse:
    """Predict texts, each by a task of its own; all are read in common batches."""
    check_inputs(body.rows, context.limits, "rows")
    versions = await _versions(context, tenant, [row.task for row in body.rows])
    rows_by_task: dict[str, list[int]] = {}
    for number, row in enumerate(body.rows):
        rows_by_task.setdefault(row.task, []).append(number)
    asks = [
        Ask(versions[task].digest, [body.rows[row] for row in rows], _options(body), [f"rows.{row}" for row in rows])
        for task, rows in rows_by_task.items()
    ]
    whole: dict[int, dict[str, Any]] = {}
    for (task, rows), replies in zip(rows_by_task.items(), await _answers(context, tenant, asks), strict=True):
        version = versions[task].number
        whole |= {row: {**reply, "task": task, "version": version} for row, reply in zip(rows, replies, strict=True)}
    return JSONResponse({"predictions": [whole[row] for row in range(len(body.rows))]})


@router.post("/v1/embed", response_model=Embeddings)
async def embed(body: Embed, context: Ctx, tenant: Tenant) -> JSONResponse:
    """Return the features of texts, by the model as it is."""
    inputs = [as_input(one) for one in body.inputs]
    check_inputs(inputs, context.limits, "inputs")
    features = await _in_time(context, context.answerer.embed(tenant, inputs))
    context.meters.texts.inc(len(inputs))
    return JSONResponse({"model": context.model, "width": features.shape[1], "embeddings": features.tolist()})


def _options(body: PredictOptions) -> Options:
    return Options(top_k=body.top_k, unknown=body.unknown, explain=body.explain)


async def _answers(context: Context, tenant: str, asks: Sequence[Ask]) -> list[list[dict[str, Any]]]:
    try:
        replies = await _in_time(context, context.answerer.predict(tenant, asks))
    except UnreadableError as error:
        if not await context.reading(partial(tasks.is_kept, digest=error.digest)):
            raise not_found("task", "id") from error  # it was removed meanwhile
        LOG.exception("weights cannot be read", extra={"digest": error.digest})
        why = "the weights of this version cannot be read, and the log of the server says which; roll back to another"
        raise ProblemError(500, why, field="id") from error
    context.meters.texts.inc(sum(len(ask.inputs) for ask in asks))
    return replies


async def _in_time(context: Context, step: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(context.limits.request_seconds):
            return await step
    except TimeoutError as error:
        raise ProblemError(503, "the answer took too long; send fewer texts, or try again", retry_after=2) from error


async def _versions(context: Context, tenant: str, ids: Sequence[str]) -> dict[str, Version]:
    """Return the version of each task; raise ProblemError that names the first row without one."""
    known = [one for one in dict.fromkeys(ids) if TASK_ID.fullmatch(one)]
    mine = await context.reading(lambda session: tasks.answering(session, tenant, known))
    versions: dict[str, Version] = {}
    for number, task_id in enumerate(ids):
        if task_id not in mine:
            raise not_found("task", f"rows.{number}.task")
        version = mine[task_id].version
        if version is None:
            raise still_adapting()
        versions[task_id] = version
    return versions
