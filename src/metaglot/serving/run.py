"""A server from its parts: model, store, worker, application."""

import ipaddress
import logging
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from metaglot.adaptation import Model
from metaglot.errors import MetaglotError
from metaglot.serving.answering import Batched
from metaglot.serving.api.app import make_app
from metaglot.serving.api.context import Context
from metaglot.serving.api.logs import set_up
from metaglot.serving.api.meters import Meters
from metaglot.serving.jobs.dispatcher import Dispatcher
from metaglot.serving.jobs.work import Worker
from metaglot.serving.limits import Limits
from metaglot.serving.listening import Protocol, Server
from metaglot.serving.store import tokens
from metaglot.serving.store.store import Store, open_store

LOG = logging.getLogger("metaglot.serving")
BACKLOG = 1024


@dataclass(frozen=True)
class Address:
    """Where a server listens."""

    host: str = "127.0.0.1"
    port: int = 8000

    @property
    def local(self) -> bool:
        """Whether only this machine reaches it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@contextmanager
def serving(
    model: Model, store: Store, worker: Worker, *, limits: Limits = Limits(), local: bool = True
) -> Generator[Context]:
    """Give the parts of a server that runs; at the end of the block the worker has ended.

    Raises MetaglotError where the store is another model's, and where an address that others reach has no token.
    """
    check_tokens(store, local=local)
    store.belong(model.name, model.fingerprint())
    found = store.recover()
    if any(found):
        LOG.info("recovered", extra=found._asdict())
    meters = Meters()
    dispatcher = Dispatcher(store, worker, limits, finished=meters.job)
    dispatcher.start()
    try:
        yield Context(
            store, dispatcher, Batched(model, store.weights, limits), limits, model.name, open=local, meters=meters
        )
    finally:
        dispatcher.close()


def check_tokens(store: Store, *, local: bool) -> None:
    """Raise MetaglotError where others would reach a server that has no token."""
    if local:
        return
    with store.database.read() as session:
        if not tokens.any_active(session):
            raise MetaglotError(
                "--host: an address that others reach needs a token; make one first with `metaglot serve token add "
                "TENANT`, or leave --host out"
            )


def serve(
    model: Model,
    worker: Callable[[], Worker],
    *,
    folder: Path,
    database: str | None = None,
    address: Address = Address(),
    limits: Limits = Limits(),
    begun: Callable[[], None] = lambda: None,
    beside: Callable[[Context, FastAPI], ASGIApp] | None = None,
) -> None:
    """Serve until an interrupt or SIGTERM; `begun` is called once requests are answered.

    `beside` makes one application of ours and of another, such as the page of the playground.
    """
    set_up()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # what uvicorn raises again once it has ended
    with (
        open_store(folder, database) as store,
        serving(model, store, worker(), limits=limits, local=address.local) as context,
    ):
        app = make_app(context)
        settings = uvicorn.Config(
            app if beside is None else beside(context, app),
            host=address.host,
            port=address.port,
            http=Protocol,
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=30,
            h11_max_incomplete_event_size=64 * 1024,
        )
        Server(settings, begun, context.dispatcher.leave).run()
