"""`/v1/tasks/{id}/predict`, `/v1/predict` for rows of many tasks, and `/v1/embed`."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

from fastapi import APIRouter

from metaglot.serving.answering import Ask, Options
from metaglot.serving.api.checks import check_inputs
from metaglot.serving.api.context import TASK_ID, Context, Ctx, TaskId, Tenant
from metaglot.serving.api.problems import ProblemError, not_found
from metaglot.serving.api.tasks import found, still_adapting
from metaglot.serving.api.told import ERRORS
from metaglot.serving.forms.answers import Embeddings, ManyPredictions, Predictions, RowPrediction
from metaglot.serving.forms.requests import Embed, Predict, PredictMany, PredictOptions
from metaglot.serving.forms.texts import as_input
from metaglot.serving.store import tasks
from metaglot.serving.store.tables import Version

T = TypeVar("T")
router = APIRouter(tags=["predictions"], responses=ERRORS)


@router.post("/v1/tasks/{task_id}/predict", response_model_exclude_unset=True)
async def predict(body: Predict, context: Ctx, tenant: Tenant, task_id: TaskId) -> Predictions:
    """Predict texts by a task."""
    inputs = [as_input(one) for one in body.inputs]
    check_inputs(inputs, context.limits, "inputs")
    version = (await found(context, tenant, task_id)).version
    if version is None:
        raise still_adapting()
    (replies,) = await _answers(context, tenant, [Ask(version.digest, inputs, _options(body))])
    return Predictions.model_validate({"task": task_id, "version": version.number, "predictions": replies})


@router.post("/v1/predict", response_model_exclude_unset=True)
async def predict_many(body: PredictMany, context: Ctx, tenant: Tenant) -> ManyPredictions:
    """Predict texts, each by a task of its own; all are read in common batches."""
    check_inputs(body.rows, context.limits, "rows")
    versions = await _versions(context, tenant, [row.task for row in body.rows])
    rows_by_task: dict[str, list[int]] = {}
    for number, row in enumerate(body.rows):
        rows_by_task.setdefault(row.task, []).append(number)
    asks = [
        Ask(versions[task].digest, [body.rows[number] for number in rows], _options(body))
        for task, rows in rows_by_task.items()
    ]
    whole: list[RowPrediction | None] = [None] * len(body.rows)
    for (task, rows), replies in zip(rows_by_task.items(), await _answers(context, tenant, asks), strict=True):
        for number, reply in zip(rows, replies, strict=True):
            whole[number] = RowPrediction.model_validate({**reply, "task": task, "version": versions[task].number})
    return ManyPredictions(predictions=[one for one in whole if one is not None])


@router.post("/v1/embed")
async def embed(body: Embed, context: Ctx, tenant: Tenant) -> Embeddings:
    """Return the features of texts, by the model as it is."""
    inputs = [as_input(one) for one in body.inputs]
    check_inputs(inputs, context.limits, "inputs")
    features = await _in_time(context, context.answerer.embed(tenant, inputs))
    context.meters.texts.inc(len(inputs))
    return Embeddings(model=context.model, width=features.shape[1], embeddings=features.tolist())


def _options(body: PredictOptions) -> Options:
    return Options(body.top_k, body.unknown, body.explain)


async def _answers(context: Context, tenant: str, asks: Sequence[Ask]) -> list[list[dict[str, Any]]]:
    replies = await _in_time(context, context.answerer.predict(tenant, asks))
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
