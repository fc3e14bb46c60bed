"""The page on a server: behind its tokens, each tenant apart, and the routes of the server as they are."""

import asyncio
import re
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse
from tests.playground.browser import CHROMIUM, Visitor, needed, served

import metaglot as mg

pytest.importorskip("sqlalchemy", reason="the extra `serve` is not installed")
from metaglot.playground.door import BYTES, COOKIE, LARGEST, PATH, Door

TOKENS = {"mg_a": "ann", "mg_b": "bob"}


class Keeper:
    def __init__(self, *, is_open: bool = False) -> None:
        self.is_open, self.tokens = is_open, dict(TOKENS)

    async def tenant(self, secret: str) -> str | None:
        return self.tokens.get(secret)

    async def open_to(self) -> str | None:
        return "local" if self.is_open else None


async def inside(scope: Any, receive: Any, send: Any) -> None:
    message = await receive()
    gone = message["type"] == "http.disconnect"
    await PlainTextResponse("gone" if gone else scope["state"]["tenant"])(scope, receive, send)


def asked(keeper: Keeper, *requests: tuple[str, str, dict[str, Any]], host: str = "127.0.0.1") -> list[httpx.Response]:
    """Return the answers to requests of one browser, which keeps its cookies."""

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(Door(inside, keeper))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}:8000") as client:
            return [await client.request(method, path, **more) for method, path, more in requests]

    return asyncio.run(ask())


def test_a_token_opens_the_door_as_its_tenant_until_it_is_revoked():
    keeper = Keeper()
    form, wrong, right, page = asked(
        keeper,
        ("GET", "/", {}),
        ("POST", PATH, {"data": {"token": "mg_other"}}),
        ("POST", PATH, {"data": {"token": " mg_a "}}),
        ("GET", "/", {}),
    )
    assert "type=password" in form.text
    assert "opens nothing" in wrong.text
    assert COOKIE not in wrong.headers.get("set-cookie", "")
    assert (right.status_code, right.headers["location"]) == (303, "/")
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "mg_a" not in cookie
    assert page.text == "ann"
    keeper.tokens.clear()
    revoked = asked(keeper, ("GET", "/x", {"headers": {"cookie": cookie.split(";")[0]}}))
    assert revoked[0].status_code == 401


def test_without_a_token_there_is_nothing_but_the_form():
    answers = asked(
        Keeper(),
        ("GET", "/config", {}),
        ("POST", "/gradio_api/queue/join", {}),
        ("GET", "/", {"headers": {"cookie": f"{COOKIE}=guess"}}),
        ("POST", PATH, {"content": b"token=" + b"x" * BYTES}),
    )
    assert [one.status_code for one in answers] == [401, 401, 200, 200]
    assert all("password" in one.text for one in answers[2:])


def test_an_open_server_answers_to_names_of_this_machine_alone():
    keeper = Keeper(is_open=True)
    assert asked(keeper, ("GET", "/", {}))[0].text == "local"
    assert "password" in asked(keeper, ("GET", "/", {}), host="evil.example")[0].text


def test_a_body_that_is_too_large_is_cut_off():
    assert asked(Keeper(is_open=True), ("POST", "/x", {"content": b"x" * (LARGEST + 1)}))[0].text == "gone"


@pytest.mark.slow
def test_the_page_of_a_server_is_behind_its_tokens(tmp_path):
    needed()
    from playwright.sync_api import sync_playwright
    from tests.serving.servers import TASK, Server

    from metaglot.playground.beside import beside
    from metaglot.playground.desk import Desk
    from metaglot.serving.api.app import make_app
    from metaglot.serving.jobs.thread import ThreadWorker
    from metaglot.serving.run import serving
    from metaglot.serving.store.store import open_store

    model = mg.load("builtin:mini")
    desk = Desk(model)
    with (
        open_store(tmp_path, None) as store,
        serving(model, store, ThreadWorker(model)) as context,
        served(beside(desk)(context, make_app(context))) as address,
        sync_playwright() as playwright,
    ):
        server = Server(context, address)
        ann, bob = (server.client(tenant) for tenant in ("ann", "bob"))
        assert ann.post("/v1/tasks", json=TASK).status_code in (201, 202)
        assert server.client().get("/v1/tasks").status_code == 401
        assert server.client().get("/config").status_code == 401
        assert server.client().get("/healthz").json()["status"] == "ok"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for tenant in (ann, bob):
            visitor = Visitor(browser, address, width=1000, token=tenant.headers["authorization"].split()[1])
            visitor.learn("moods")
            assert visitor.said() in ("pleased", "disappointed")
            if tenant is ann:
                visitor.page.click("#mg-keep")
                visitor.page.wait_for_selector("#mg-kept code")
                (task,) = re.findall(r"task_[0-9a-f]{32}", visitor.page.inner_text("#mg-kept p"))[:1]
            visitor.closed()
        found = ann.post(f"/v1/tasks/{task}/predict", json={"inputs": ["I loved it."]}).json()["predictions"]
        assert found[0]["label"] in ("pleased", "disappointed")
        more = ann.post(f"/v1/tasks/{task}/examples", json={"examples": [{"text": "So, so.", "label": "neither"}]})
        assert more.json()["version"]["labels"][-1] == "neither"
        assert bob.get("/v1/tasks").json()["tasks"] == []
        browser.close()
        held = list(desk.sessions._held.values())
        assert [one.owner for one in held] == ["ann", "bob"]
        server.close()


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"origin": "http://localhost:8000"}, False),
        ({"origin": "https://play.example", "x-forwarded-host": "play.example"}, False),
        ({"origin": "https://play.example", "sec-fetch-site": "same-origin"}, False),
        ({"origin": "https://evil.example"}, True),
        ({"origin": "null"}, True),
        ({"origin": "http://localhost:8000", "sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-site"}, True),
    ],
)
def test_what_a_page_of_another_site_sends_is_refused(headers: dict[str, str], foreign: bool):
    pytest.importorskip("gradio", reason="the extra `playground` is not installed")
    from metaglot.playground.run import Policy

    async def ask() -> list[int]:
        transport = httpx.ASGITransport(Policy(PlainTextResponse("in")))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
            return [(await client.request(way, "/upload", headers=headers)).status_code for way in ("POST", "GET")]

    assert asyncio.run(ask()) == [403 if foreign else 200, 200]
