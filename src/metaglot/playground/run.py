"""The page as an application: mounted in that of a server, or alone at an address of this machine."""

import signal
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI
from gradio.themes import Soft
from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from metaglot.playground.desk import Desk
from metaglot.playground.page import blocks, mount
from metaglot.playground.style import STYLE
from metaglot.playground.table import BYTES
from metaglot.serving.listening import Protocol, Server

HOST = "127.0.0.1"
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'none'; "
    "base-uri 'self'"
)
"""What a browser may fetch for the page: nothing from another host."""


def mounted(app: FastAPI, desk: Desk, path: str = "/", *, owner: Callable[[Any], str | None] | None = None) -> FastAPI:
    """Return the application with the page at a path; `owner` names who asks, or refuses with None."""
    theme = Soft(primary_hue="teal", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    return mount(
        app,
        blocks(desk),
        path,
        auth_dependency=owner,
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        max_file_size=BYTES,
        theme=theme,
        css=STYLE,
    )


def application(desk: Desk) -> FastAPI:
    """Return the page as an application of its own, which answers to names of this machine alone."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    mounted(app, desk)
    app.add_middleware(Policy)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost", "[::1]"])
    return app


def serve(desk: Desk, port: int, begun: Callable[[], None]) -> None:
    """Serve the page until an interrupt; `begun` is called before the first request."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that folders of uploads go then too
    app = application(desk)
    settings = uvicorn.Config(app, host=HOST, port=port, http=Protocol, log_level="warning", server_header=False)
    Server(settings, begun).run()


class Policy:
    """Adds the policy of contents to every answer, and refuses what a page of another site sends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                head = (b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer")
                message["headers"] = [*message.get("headers", ()), *head, (b"x-content-type-options", b"nosniff")]
            await send(message)

        refused = (
            scope["type"] == "http" and scope["method"] not in ("GET", "HEAD") and is_foreign(Headers(scope=scope))
        )
        app = PlainTextResponse("another site sent this", 403) if refused else self._app
        await app(scope, receive, with_policy)


def is_foreign(headers: Headers) -> bool:
    """Whether a browser says that a page of another site sends a request, as a form may, unasked.

    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    hosts = (headers.get("host"), headers.get("x-forwarded-host"))
    return origin is not None and urlsplit(origin).netloc not in hosts
