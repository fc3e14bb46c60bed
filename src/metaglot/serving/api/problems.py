"""One form of errors, after RFC 9457: https://www.rfc-editor.org/rfc/rfc9457

A text that was sent is never repeated; a label may be, to say which is meant.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from metaglot.errors import MetaglotError
from metaglot.serving.engine import Overloaded
from metaglot.serving.examples import FieldError
from metaglot.serving.forms.answers import Flaw, Problem
from metaglot.serving.store.database import UnavailableError
from metaglot.serving.store.keys import KeyReusedError

SHOWN = 20  # flaws in an answer
MEDIA = "application/problem+json"
OURS = "Value error, "  # what pydantic writes before a message that is ours


class ProblemError(Exception):
    """An answer that says what is wrong."""

    def __init__(self, status: int, detail: str, *, field: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.field, self.retry_after = status, detail, field, retry_after

    def response(self, request_id: str | None) -> JSONResponse:
        """Return the answer."""
        flaws = [] if self.field is None else [Flaw(field=self.field, why=self.detail)]
        headers = {} if self.retry_after is None else {"Retry-After": str(max(1, round(self.retry_after)))}
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        return problem(self.status, self.detail, flaws, request_id, headers)


def not_found(what: str, field: str) -> ProblemError:
    """Return the answer for what is not there, or is another's: both are the same."""
    return ProblemError(HTTPStatus.NOT_FOUND, f"there is no such {what}", field=field)


def problem(
    status: int,
    detail: str,
    flaws: Sequence[Flaw] = (),
    request_id: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return an answer that says what is wrong."""
    title = HTTPStatus(status).phrase
    body = Problem(title=title, status=status, detail=detail, errors=list(flaws)[:SHOWN], request_id=request_id)
    return JSONResponse(body.model_dump(), status, headers=dict(headers or {}), media_type=MEDIA)


def add_handlers(app: FastAPI) -> None:
    """Let all errors of an application take the one form."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for error in (ProblemError, MetaglotError, UnavailableError, KeyReusedError):
        app.add_exception_handler(error, _own)


def as_problem(error: Exception) -> ProblemError | None:
    """Return the answer to an error that a request or the database is at fault for; None for any other."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, Overloaded):
        status = HTTPStatus.SERVICE_UNAVAILABLE if error.closing else HTTPStatus.TOO_MANY_REQUESTS
        return ProblemError(status, f"{error}; try again", retry_after=error.retry_after)
    if isinstance(error, MetaglotError):
        field = error.field if isinstance(error, FieldError) else "body"
        return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), field=field)
    if isinstance(error, UnavailableError):
        return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "the database cannot be reached; try again", retry_after=1)
    if isinstance(error, KeyReusedError):
        why = "stood at another request before; take a new key for each request"
        return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, why, field="Idempotency-Key")
    return None


async def _own(request: Request, error: Exception) -> JSONResponse:
    found = as_problem(error)
    assert found is not None
    return found.response(_id(request))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    if request.method == "POST" and not _is_json(request.headers.get("content-type", "")):
        flaws = [Flaw(field="Content-Type", why="must be application/json")]
        return problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Type: must be application/json", flaws, _id(request))
    broken = next((one for one in error.errors() if one["type"] == "json_invalid"), None)
    if broken is not None:
        flaws = [Flaw(field="body", why=f"{broken['msg']} at character {broken['loc'][-1]}")]
        return problem(HTTPStatus.BAD_REQUEST, "the body is no JSON", flaws, _id(request))
    flaws = [Flaw(field=_field(one["loc"]), why=str(one["msg"]).removeprefix(OURS)) for one in error.errors()]
    first = flaws[0]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{first.field}: {first.why}", flaws, _id(request))


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    flaws = [Flaw(field="body", why=str(error.detail))] if error.status_code == HTTPStatus.BAD_REQUEST else []
    return problem(error.status_code, str(error.detail), flaws, _id(request), error.headers)


def _is_json(content_type: str) -> bool:
    media = content_type.partition(";")[0].strip().lower()
    return media == "application/json" or (media.startswith("application/") and media.endswith("+json"))


def _field(place: Sequence[Any]) -> str:
    """Return the name of a field: "examples.0.label" of a body, and of the rest as it is."""
    parts = [str(part)[:60] for part in place]
    return ".".join(parts[1:] if len(parts) > 1 and parts[0] in ("body", "query", "path", "header") else parts)


def _id(request: Request) -> str | None:
    return getattr(request.state, "request_id", None)
