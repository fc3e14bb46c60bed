"""The door of the page on a server: who gives a token of the server is let in, as its tenant.

A browser cannot send a token with each request, so that a visitor gives it once, and gets a cookie that names it:
random, for this server's life, out of reach of scripts and of other sites.  The token is looked up at each request, so
that one that is revoked opens nothing.

https://developer.mozilla.org/en-US/docs/Web/HTTP/Cookies
"""

import secrets
from collections import OrderedDict
from html import escape
from http.cookies import CookieError, SimpleCookie
from typing import Protocol
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from metaglot.playground.words import language_of, say
from metaglot.serving.api.guard import is_local

COOKIE, PATH = "metaglot_playground", "/sign-in"
MOST, BYTES = 1000, 8192  # visitors who are signed in, and of a form
LARGEST = 6_000_000  # bytes of any other request: a file, and what is around it


class Doorkeeper(Protocol):
    """Who knows the tokens."""

    async def tenant(self, secret: str) -> str | None:
        """Return the tenant of a token; None where it opens nothing."""
        ...

    async def open_to(self) -> str | None:
        """Return as whom visitors without a token come in; None where a token is needed."""
        ...


class Door:
    """Lets visitors in to an application, or shows them where to sign in."""

    def __init__(self, app: ASGIApp, keeper: Doorkeeper) -> None:
        self._app, self._keeper = app, keeper
        self._signed_in: OrderedDict[str, str] = OrderedDict()  # secrets of tokens by cookies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        owner = await self._owner(headers)
        if scope["path"] == PATH and scope["method"] == "POST":
            answer = await self._sign_in(headers, receive, secure=scope.get("scheme") == "https")
        elif owner is not None:
            scope.setdefault("state", {})["tenant"] = owner
            await self._app(scope, _bounded(receive), send)
            return
        elif scope["path"] == "/" and scope["method"] in ("GET", "HEAD"):
            answer = _form(headers)
        else:
            answer = PlainTextResponse("sign in first, at /", 401)
        await answer(scope, receive, send)

    async def _owner(self, headers: Headers) -> str | None:
        cookie = _cookie(headers)
        secret = self._signed_in.get(cookie, "")
        if secret:
            return await self._keeper.tenant(secret)
        owner = await self._keeper.open_to()
        return owner if is_local(headers) else None

    async def _sign_in(self, headers: Headers, receive: Receive, *, secure: bool) -> Response:
        form = parse_qs((await _body(receive)).decode("utf-8", "replace"))
        secret = form.get("token", [""])[0].strip()
        if not secret or await self._keeper.tenant(secret) is None:
            return _form(headers, refused=True)
        cookie = secrets.token_urlsafe(32)
        self._signed_in[cookie] = secret
        while len(self._signed_in) > MOST:
            self._signed_in.popitem(last=False)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", secure=secure)
        return answer


def _bounded(receive: Receive) -> Receive:
    """Return what receives a body as far as it is not too large; behind that the visitor is gone."""
    count = 0

    async def bounded() -> Message:
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        return {"type": "http.disconnect"} if count > LARGEST else message

    return bounded


async def _body(receive: Receive) -> bytes:
    """Return the body of a request; nothing of one that is too long for a form."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] == "http.disconnect" or len(body) > BYTES:
            return b""
        more = message.get("more_body", False)
    return body


def _cookie(headers: Headers) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


def _form(headers: Headers, *, refused: bool = False) -> HTMLResponse:
    language = language_of(headers.get("accept-language", ""))
    words = {key: escape(say(key, language)) for key in ("title", "sign_in", "sign_in_hint", "sign_in_wrong")}
    wrong = f'<p role="alert"><b>{words["sign_in_wrong"]}</b></p>' if refused else ""
    meta = "<meta charset=utf-8><link rel=icon href='data:,'><meta name=viewport content='width=device-width'>"
    head = f"{meta}<style>{STYLE}</style>"
    field = "<input name=token type=password autocomplete=current-password aria-label=token autofocus required>"
    form = f"<h1>{words['title']}</h1><p>{words['sign_in_hint']}</p>{wrong}{field}<button>{words['sign_in']}</button>"
    page = f"<title>metaglot</title>{head}<form method=post action='{PATH}'>{form}</form>"
    return HTMLResponse(f"<!doctype html><html lang={language}>{page}</html>", headers={"cache-control": "no-store"})


STYLE = (
    "body{font:16px system-ui,sans-serif;margin:0;padding:8vh 1rem;background:#f8fafc;color:#16202c}"
    "form{max-width:26rem;margin:auto}input,button{font:inherit;width:100%;padding:.6rem;box-sizing:border-box;"
    "margin:.3rem 0;border-radius:.4rem;border:1px solid #8f9aa8}button{background:#0a7d74;color:#fff;border:0}"
)
