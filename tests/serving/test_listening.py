"""A connection that does not ask is closed, an address that is taken is one message, and the end waits for nobody."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from tests.serving.servers import TASK, Server, running
from tests.serving.test_bounds import Slow

from metaglot.adaptation import Model
from metaglot.errors import MetaglotError
from metaglot.serving import listening
from metaglot.serving.listening import Protocol, check_address
from metaglot.serving.store import tokens


class Hasty(Protocol):
    seconds = 0.5


def test_heads_that_come_too_slowly_are_not_waited_for():
    begun = threading.Event()
    config = uvicorn.Config(PlainTextResponse("yes"), port=0, http=Hasty, log_config=None)
    server = listening.Server(config, begun.set)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert begun.wait(10)
    address = server.servers[0].sockets[0].getsockname()
    with socket.create_connection(address) as silent, socket.create_connection(address) as slow:
        for one in (silent, slow):
            one.settimeout(10)
        slow.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"yes" in slow.recv(1000) + slow.recv(1000)
        count = 0
        with suppress(OSError):
            while count < 500:  # a second request, byte by byte
                slow.sendall(b"G")
                count += 1
                time.sleep(0.02)
        assert count < 400  # it was closed, 0.5 s after its first byte
        assert silent.recv(10) == b""
    server.should_exit = True
    thread.join(10)


def test_an_address_that_cannot_be_had_is_one_message():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        with pytest.raises(MetaglotError, match="give another port, such as --port"):
            check_address("127.0.0.1", one.getsockname()[1])
    with pytest.raises(MetaglotError, match="--host 'a host'"):
        check_address("a host", 8000)


@pytest.fixture
def held(model: Model, tmp_path: Path) -> Iterator[tuple[Server, httpx.Client, str, Slow]]:
    """A server, a client, and its job that does not end before its worker may."""
    worker = Slow(model)
    with running(model, tmp_path / "store", worker=worker) as server:
        client = server.client("acme")
        worker.may.clear()
        job = client.post("/v1/tasks", json=TASK | {"wait": 0}).json()["id"]
        assert worker.began.wait(30)
        yield server, client, job, worker
        worker.may.set()


def test_who_waits_for_a_job_is_let_go_when_the_server_ends(held: tuple[Server, httpx.Client, str, Slow]):
    server, client, job, _ = held
    with client.stream("GET", f"/v1/jobs/{job}/events") as events:
        lines = events.iter_lines()
        assert next(lines) == "event: state"
        server.context.dispatcher.leave()
        begin = time.monotonic()
        assert [line for line in lines if line.startswith("event")] == []
    assert client.post("/v1/tasks", json=TASK | {"wait": 60}).status_code == 202
    assert time.monotonic() - begin < 8


def test_who_follows_a_job_with_a_token_that_is_revoked_hears_no_more(held: tuple[Server, httpx.Client, str, Slow]):
    server, client, job, worker = held
    with client.stream("GET", f"/v1/jobs/{job}/events") as events:
        lines = events.iter_lines()
        assert next(lines) == "event: state"
        with server.context.store.database.write() as session:
            tokens.revoke(session, tokens.listed(session)[0].id)
        worker.may.set()  # a change, which is not told
        assert [line for line in lines if line.startswith("event")] == []
