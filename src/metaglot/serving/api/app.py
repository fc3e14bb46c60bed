"""The application: routers, the form of errors, and the guard."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from metaglot.serving.api import health, jobs, predict, tasks, versions
from metaglot.serving.api.context import Context
from metaglot.serving.api.guard import Guard
from metaglot.serving.api.problems import add_handlers
from metaglot.version import __version__

ABOUT = """Learn text tasks from a few examples, and predict by them.

Each request carries a token, `Authorization: Bearer mg_…`, and sees the tasks of its tenant alone.  Errors have one
form (`application/problem+json`): `errors` says which field is wrong, and why.  A POST with the header
`Idempotency-Key` may be sent again: it begins nothing twice.
"""


def make_app(context: Context) -> FastAPI:
    """Return the application of a server."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncGenerator[None]:
        await context.answerer.start()
        try:
            yield
        finally:
            await context.answerer.stop()

    app = FastAPI(
        lifespan=life,
        title="metaglot",
        version=__version__,
        description=ABOUT,
        docs_url=None,  # a page of these would load scripts of another site
        redoc_url=None,
    )
    app.state.context = context
    for router in (tasks.router, versions.router, predict.router, jobs.router, health.router):
        app.include_router(router)
    add_handlers(app)
    app.add_middleware(Guard, context=context)
    return app
