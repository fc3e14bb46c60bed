"""What was learnt on the page of a server, kept as a task of it: the same store, behind the same tokens and limits."""

import json
import time
from typing import Any

from sqlalchemy.orm import Session

from metaglot.adaptation import Adapted
from metaglot.errors import MetaglotError
from metaglot.serving.api.checks import check_bytes, check_examples, check_labels, check_marked, check_room
from metaglot.serving.api.context import Context
from metaglot.serving.api.problems import ProblemError
from metaglot.serving.examples import CHOICES
from metaglot.serving.forms.texts import Example
from metaglot.serving.jobs.work import done_of
from metaglot.serving.store import tasks
from metaglot.serving.store.store import FullError
from metaglot.serving.store.tables import Task


def keep(context: Context, tenant: str, adapted: Adapted, seconds: float) -> str:
    """Return the id of a new task of a tenant; raise MetaglotError where the server does not take it."""
    limits, family = context.limits, adapted.fit.family
    rows = rows_of(adapted)
    examples = [Example.model_validate(row) for row in rows]

    def step(session: Session) -> Task:
        check_room(tasks.count(session, tenant), limits)
        check_bytes(tasks.size(session, tenant), limits)
        return tasks.create(session, tenant, time.strftime("playground %Y-%m-%d %H:%M"), family.name, None)

    try:
        check_examples(examples, limits)
        check_labels(examples, family, limits)
        check_marked(examples, family, limits)
        part = context.store.weights.part()
        adapted.save(part, keep_examples=True)
        made = tasks.Made("", *done_of(adapted, seconds))
        return context.store.adopt(step, part, made, rows, most=limits.tenant_megabytes << 20)
    except ProblemError as error:
        raise MetaglotError(error.detail) from error
    except FullError as error:
        raise MetaglotError("your tasks would have more on the disk than they may; delete some") from error


def rows_of(adapted: Adapted) -> list[dict[str, Any]]:
    """Return the examples of an adaptation as they are sent to a server."""
    family, examples = adapted.fit.family, adapted.fit.examples
    rows: list[dict[str, Any]] = []
    for (text, second), target in zip(examples.inputs.rows(), examples.targets, strict=True):
        row: dict[str, Any] = {"text": text, "label": family.plain(target)}
        if second is not None:
            row |= {"candidates": json.loads(second)} if family.name == CHOICES else {"pair": second}
        rows.append(row)
    return rows
