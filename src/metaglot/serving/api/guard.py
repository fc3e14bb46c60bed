"""What every request passes before a route sees it: host, token, rate, size and time; and its line in the log.

It is plain ASGI (https://asgi.readthedocs.io/en/latest/specs/www.html), so that a body is counted while it comes.
"""

import asyncio
import logging
import secrets
import time
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from metaglot.serving.api.context import Context
from metaglot.serving.api.problems import ProblemError, as_problem
from metaglot.serving.api.rates import Rates
from metaglot.serving.store import tokens
from metaglot.serving.store.tables import Token

LOG = logging.getLogger("metaglot.serving.requests")
OPEN = frozenset({"/healthz", "/readyz", "/openapi.json"})  # they tell nothing of a tenant
METRICS = "/metrics"
LOCAL = "local"  # the tenant of requests without a token, on a server that has none
LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
HEADERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class Guard:
    """Lets requests in, or answers them itself."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app, self._context = app, context
        self._rates = Rates(context.limits.requests_per_second, context.limits.burst)
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        passage = _Passage(scope, receive, send, self._context)
        self._inside += 1
        self._context.meters.open.inc()
        try:
            await self._serve(passage)
        finally:
            self._inside -= 1
            self._context.meters.open.dec()
            passage.note()

    async def _serve(self, passage: "_Passage") -> None:
        try:
            if passage.scope["path"] not in OPEN:
                await self._admit(passage)
            await self._app(passage.scope, passage.receive, passage.send)
        except Exception as error:
            found = as_problem(error)
            if found is None:
                LOG.exception("request failed", extra={"request": passage.id})
                found = ProblemError(500, "the server failed; its log says where", field=None)
            if not passage.status:
                await found.response(passage.id)(passage.scope, passage.receive, passage.send)

    async def _admit(self, passage: "_Passage") -> None:
        """Note the tenant of a request; raise ProblemError where it is not let in."""
        if self._inside > self._context.limits.concurrent_requests:
            raise ProblemError(503, "the server has too many requests at once; try again", retry_after=1)
        token = await self._holder(passage.headers)
        tenant, scope = (LOCAL, None) if token is None else (token.tenant, token.scope)
        wanted = tokens.METRICS if passage.scope["path"] == METRICS else tokens.TASKS
        if scope not in (wanted, None):
            raise ProblemError(403, f"this token is for {scope}, and not for {wanted}", field="Authorization")
        if wait := self._rates.wait(tenant):
            raise ProblemError(429, "too many requests; try again later", retry_after=wait)
        passage.scope["state"] |= {"tenant": tenant, "token": None if token is None else token.id}
        await passage.read()

    async def _holder(self, headers: Headers) -> Token | None:
        """Return the token of a request; None where none is needed, which is then good for everything."""
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and secret.strip():
            token = await self._context.reading(lambda session: tokens.holder(session, secret.strip()))
            if token is not None:
                return token
        elif self._context.open and not await self._context.reading(tokens.required):
            _check_host(headers)
            return None
        raise ProblemError(401, "give a token that is valid: Authorization: Bearer mg_…", field="Authorization")


class _Passage:
    """A request on its way: what came of its body, and what was answered."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, context: Context) -> None:
        self.id = secrets.token_hex(8)
        self.scope: dict[str, Any] = {**scope, "state": {**scope.get("state", {}), "request_id": self.id}}
        self.headers = Headers(scope=scope)
        self.status = 0
        self._receive, self._send, self._context = receive, send, context
        self._begin, self._answered = time.monotonic(), 0.0
        self._body: list[Message] = []  # what of it has come, and is still to be given to the application
        self._bytes = 0

    async def read(self) -> None:
        """Read the body; raise ProblemError where it is too long, or comes too slowly."""
        length = self.headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length[:18]) > self._context.limits.body_bytes:
            raise self._too_long()
        try:
            async with asyncio.timeout(self._context.limits.request_seconds):
                await self._read_parts()
        except TimeoutError as error:
            raise ProblemError(408, "the body did not come in time", field="body") from error

    async def _read_parts(self) -> None:
        more = True
        while more:
            message = await self._receive()
            self._body.append(message)
            self._bytes += len(message.get("body", b""))
            if self._bytes > self._context.limits.body_bytes:
                raise self._too_long()
            more = message.get("more_body", False)

    async def receive(self) -> Message:
        """Return the next part of the body, and then what else is said of the connection."""
        return self._body.pop(0) if self._body else await self._receive()

    async def send(self, message: Message) -> None:
        """Send a part of the answer; its head has the id of the request."""
        if message["type"] == "http.response.start":
            self.status, self._answered = message["status"], time.monotonic()
            message["headers"] = [*message.get("headers", ()), *HEADERS, (b"x-request-id", self.id.encode())]
        await self._send(message)

    def note(self) -> None:
        """Write the line of the log, and count."""
        seconds = (self._answered or time.monotonic()) - self._begin
        route = getattr(self.scope.get("route"), "path", "none")
        method = self.scope["method"] if route != "none" else "none"
        self._context.meters.requests.labels(route, method, str(self.status)).inc()
        self._context.meters.seconds.labels(route).observe(seconds)
        facts = {"request": self.id, "method": method, "route": route, "status": self.status}
        LOG.info("request", extra={**facts, "bytes": self._bytes, "ms": round(1000 * seconds, 1)})

    def _too_long(self) -> ProblemError:
        most = self._context.limits.body_bytes
        return ProblemError(413, f"a request has {most:,} bytes at most; send fewer texts at once", field="body")


def _check_host(headers: Headers) -> None:
    """Refuse requests that a page of another site sends through the browser, under a name that leads here."""
    if not is_local(headers):
        raise ProblemError(421, "without tokens this server answers as 127.0.0.1 or localhost alone", field="Host")


def is_local(headers: Headers) -> bool:
    """Whether a request is sent to a name that is this machine's whoever resolves it."""
    host = headers.get("host", "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name in LOCAL_HOSTS
