"""The client: what its page shows runs, and it comes back where a server is full, slow to begin, or gone."""

import doctest
import threading
import time
from typing import Any

import httpx
import pytest
from tests.serving.servers import EXAMPLES, Server

import metaglot.serving.client.client as module
from metaglot.serving import Client
from metaglot.serving.client import ServerError
from metaglot.serving.client.sending import Sender
from metaglot.serving.store import tokens


@pytest.fixture
def token(server: Server, request: pytest.FixtureRequest) -> str:
    with server.context.store.database.write() as session:
        return tokens.add(session, f"c{abs(hash(request.node.nodeid)):x}").secret


def test_the_examples_of_its_page_run(server: Server, token: str):
    names: dict[str, Any] = {"url": server.url, "token": token}
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    found = {test.name: test for test in finder.find(Client, "Client", globs=names)}
    order = ["Client", *(f"Client.{name}" for name in vars(Client))]
    for test in sorted((one for one in found.values() if one.examples), key=lambda one: order.index(one.name)):
        test.globs = names
        assert runner.run(test, clear_globs=False).failed == 0, test.name
    assert runner.tries > 12
    names["client"].close()


def test_errors_say_which_field(server: Server, token: str):
    with Client(server.url, token=token) as client:
        with pytest.raises(ServerError, match=r"examples\.1\.label") as caught:
            client.create("x", [("a", "x"), ("b", None)])
        assert (caught.value.status, caught.value.problem and caught.value.problem.errors[0].field) == (
            422,
            "examples.1.label",
        )
        with pytest.raises(ServerError, match="no such task"):
            client.task("task_" + "0" * 32)
        with pytest.raises(ServerError, match="no such job"):
            next(client.follow("job_" + "0" * 32))
        task = client.create("x", [(one["text"], one["label"]) for one in EXAMPLES], effort="instant")
        client.delete(task.id)
        assert list(client.tasks()) == []


class Answers(httpx.BaseTransport):
    """Gives these answers one after another; an error is raised."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers, self.requests = list(answers), list[httpx.Request]()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def sent(*answers: httpx.Response | Exception, retries: int = 6) -> tuple[Sender, Answers, list[float]]:
    transport, pauses = Answers(*answers), list[float]()
    http = httpx.Client(base_url="http://x", transport=transport)
    return Sender(http, retries, pauses.append, lambda: 1.0), transport, pauses


def test_it_comes_back_after_pauses_that_grow():
    full = httpx.Response(503, headers={"Retry-After": "3"})
    sender, transport, pauses = sent(httpx.ConnectError("no"), full, httpx.Response(429), httpx.Response(200))
    assert sender.send("POST", "/v1/tasks", headers={"Idempotency-Key": "k"}).status_code == 200
    assert pauses == [0.2, 3.4, 0.8]
    assert [one.headers["idempotency-key"] for one in transport.requests] == ["k"] * 4


def test_it_gives_up_in_the_end_and_at_once_where_that_is_no_use():
    sender, transport, _ = sent(*[httpx.ConnectError("no")] * 3, retries=2)
    with pytest.raises(ServerError, match="ConnectError"):
        sender.send("GET", "/")
    assert len(transport.requests) == 3
    sender, transport, pauses = sent(httpx.Response(422))
    with pytest.raises(ServerError, match="HTTP 422"):
        sender.send("GET", "/")
    assert pauses == []


def test_what_went_at_the_first_try_is_gone_at_the_second():
    sender, _, _ = sent(httpx.ReadError("cut"), httpx.Response(404))
    assert sender.send("DELETE", "/x", gone_is_done=True).status_code == 404
    sender, _, _ = sent(httpx.Response(404))
    with pytest.raises(ServerError):
        sender.send("DELETE", "/x", gone_is_done=True)


def test_a_long_adaptation_is_waited_for(server: Server, token: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "WAIT", 0)
    monkeypatch.setattr(module, "PAUSE", 0.01)
    with Client(server.url, token=token) as client:
        task = client.create("x", EXAMPLES, effort="instant")
        assert task.state == "ready"
        assert [job.state for job in client.jobs()] == ["done"]


def test_a_server_that_is_not_there_yet_is_waited_for():
    def late() -> None:
        time.sleep(0.1)
        transport.answers[:] = [httpx.Response(200, json={"tasks": [], "next": None})]

    transport = Answers(*[httpx.ConnectError("no")] * 50)
    thread = threading.Thread(target=late)
    thread.start()
    with Client("http://x", transport=transport) as client:
        assert list(client.tasks()) == []
    thread.join()
