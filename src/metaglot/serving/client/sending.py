"""Requests that are sent again where that may help: what came between is a full server, or no connection.

The pause doubles with each try and is drawn between nothing and that, so that many clients do not come back together
(https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/); what `Retry-After` says comes on top.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from metaglot.errors import MetaglotError
from metaglot.serving.forms.answers import Problem

try:
    import httpx
except ModuleNotFoundError as error:
    raise ImportError("the client of a server needs httpx: pip install 'metaglot[serve]'") from error

AGAIN = frozenset({429, 502, 503, 504})
FIRST, LONGEST = 0.2, 20.0  # seconds of a pause at most: the first, and any


class ServerError(MetaglotError):
    """An answer that says what is wrong.

    Attributes
    ----------
    status : int
        The status of HTTP; 0 where no server answered.
    problem : Problem or None
        What the server says, field by field.

    Examples
    --------
    >>> from metaglot.serving.client import ServerError
    >>> ServerError("there is no such task", 404).status
    404
    """

    def __init__(self, message: str, status: int, problem: Problem | None = None) -> None:
        super().__init__(message)
        self.status, self.problem = status, problem


@dataclass(frozen=True)
class Sender:
    """Sends requests, again where that may help."""

    http: "httpx.Client"
    retries: int
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = field(default=random.random)

    def send(self, method: str, path: str, *, gone_is_done: bool = False, **settings: Any) -> "httpx.Response":
        """Return the answer; raise ServerError where it is none that was hoped for.

        With `gone_is_done`, what is not there any more at a second try went at the first.
        """
        reason: ServerError | None = None
        for attempt in range(self.retries + 1):
            try:
                response = self.http.request(method, path, **settings)
            except httpx.TransportError as error:
                reason = ServerError(f"{self.http.base_url}: {type(error).__name__}: {error}", 0)
                reason.__cause__ = error
                wait = 0.0
            else:
                if response.is_success or (gone_is_done and attempt and response.status_code == 404):
                    return response
                reason, wait = fault(response), _retry_after(response)
                if response.status_code not in AGAIN:
                    break
            if attempt < self.retries:
                self.sleep(wait + self.random() * min(LONGEST, FIRST * 2**attempt))
        assert reason is not None
        raise reason


def fault(response: "httpx.Response") -> ServerError:
    """Return the error that an answer tells of."""
    try:
        problem = Problem.model_validate_json(response.content)
    except ValueError:
        return ServerError(f"{response.url}: HTTP {response.status_code}", response.status_code)
    fields = "; ".join(f"{flaw.field}: {flaw.why}" for flaw in problem.errors)
    return ServerError(fields or problem.detail, response.status_code, problem)


def _retry_after(response: "httpx.Response") -> float:
    try:
        return min(60.0, float(response.headers.get("retry-after", "0")))
    except ValueError:  # a date: the pause is ours
        return 0.0
