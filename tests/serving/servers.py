"""Servers for tests: in a thread of this process with a tiny model, and as a process of their own."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from metaglot.adaptation import Model
from metaglot.serving.api.app import make_app
from metaglot.serving.api.context import Context
from metaglot.serving.jobs.thread import ThreadWorker
from metaglot.serving.jobs.work import Worker
from metaglot.serving.limits import Limits
from metaglot.serving.run import serving
from metaglot.serving.store import tokens
from metaglot.serving.store.store import open_store

EXAMPLES = [
    {"text": "Refund my order.", "label": "billing"},
    {"text": "I was charged twice.", "label": "billing"},
    {"text": "The app crashes.", "label": "technical"},
    {"text": "The screen stays black.", "label": "technical"},
]
TASK: dict[str, Any] = {"name": "tickets", "effort": "instant", "examples": EXAMPLES}


class Server:
    """A server at work, and clients of its tenants."""

    def __init__(self, context: Context, url: str) -> None:
        self.context, self.url = context, url
        self._clients: list[httpx.Client] = []

    def client(self, tenant: str | None = None, *, scope: str = tokens.TASKS, **settings: Any) -> httpx.Client:
        """Return a client with a new token of a tenant, or without any."""
        headers = dict(settings.pop("headers", {}))
        if tenant is not None:
            with self.context.store.database.write() as session:
                headers["Authorization"] = f"Bearer {tokens.add(session, tenant, scope=scope).secret}"
        client = httpx.Client(base_url=self.url, headers=headers, timeout=60, **settings)
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()


@contextlib.contextmanager
def running(
    model: Model,
    folder: Path,
    *,
    limits: Limits = Limits(),
    database: str | None = None,
    worker: Worker | None = None,
    local: bool = True,
) -> Iterator[Server]:
    """Give a server in a thread, at a free port of this machine."""
    with (
        open_store(folder, database) as store,
        serving(model, store, worker or ThreadWorker(model), limits=limits, local=local) as context,
    ):
        config = uvicorn.Config(make_app(context), port=0, log_config=None, access_log=False, backlog=1024)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        own = Server(context, f"http://127.0.0.1:{port}")
        try:
            yield own
        finally:
            own.close()
            server.should_exit = True
            thread.join(timeout=30)


def made(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    response = client.post("/v1/tasks", json=TASK | changes)
    assert response.status_code == 201, response.text
    return response.json()


def flaw(response: httpx.Response, status: int) -> tuple[str, str]:
    """The first field that an answer finds wrong, and why."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["request_id"]) == (status, response.headers["x-request-id"])
    assert body["detail"]
    return body["errors"][0]["field"], body["errors"][0]["why"]
