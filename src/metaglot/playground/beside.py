"""The page at `/` of a server, beside its routes and behind its tokens."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from metaglot.playground.desk import Desk
from metaglot.playground.door import Door
from metaglot.playground.keeping import keep
from metaglot.playground.run import Policy, mounted
from metaglot.playground.sessions import Work
from metaglot.serving.api.context import Context
from metaglot.serving.api.guard import LOCAL, METRICS, OPEN
from metaglot.serving.store import tokens


def beside(desk: Desk) -> Callable[[Context, FastAPI], ASGIApp]:
    """Return what makes one application of that of a server and of the page; routes of the server stay as they are."""

    def both(context: Context, server: FastAPI) -> ASGIApp:
        page = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

        def kept(work: Work, tenant: str) -> str:
            return keep(context, tenant, work.adapted, work.seconds)

        mounted(page, replace(desk, keep=kept), owner=_tenant)
        return Both(server, page, Policy(Door(page, Keeper(context))))

    return both


@dataclass(frozen=True)
class Keeper:
    """Knows the tokens of a server."""

    context: Context

    async def tenant(self, secret: str) -> str | None:
        """Return the tenant of a token for tasks; None where it opens nothing."""
        token = await self.context.reading(lambda session: tokens.holder(session, secret))
        return None if token is None or token.scope != tokens.TASKS else token.tenant

    async def open_to(self) -> str | None:
        """Return the tenant of visitors without a token, on a server of this machine that has none."""
        needed = not self.context.open or await self.context.reading(tokens.required)
        return None if needed else LOCAL


class Both:
    """Sends the paths of a server's routes to the server, and all others to the page."""

    def __init__(self, server: FastAPI, page: FastAPI, door: ASGIApp) -> None:
        self._server, self._door = server, door
        self._first = {_first(path) for path in (*server.openapi()["paths"], *OPEN, METRICS)}

        @asynccontextmanager
        async def lives(_: Starlette) -> AsyncGenerator[None]:
            async with server.router.lifespan_context(server), page.router.lifespan_context(page):
                yield

        self._lives = Starlette(lifespan=lives)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the beginning and the end of both applications."""
        if scope["type"] == "lifespan":
            await self._lives(scope, receive, send)
        elif _first(scope["path"]) in self._first:
            await self._server(scope, receive, send)
        else:
            await self._door(scope, receive, send)


def _first(path: str) -> str:
    """Return the first part of a path."""
    return path.strip("/").split("/")[0]


def _tenant(request: Request) -> Any:
    return request.scope.get("state", {}).get("tenant")
