"""A browser that looks at the page: Debian's chromium, driven by Playwright; and what it must not do."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), "")
ALLOWED = ("data", "blob")


def needed() -> None:
    """Skip the test where a browser, Playwright or gradio is absent."""
    for module in ("gradio", "playwright"):
        pytest.importorskip(module, reason=f"{module} is not installed: pip install 'metaglot[playground]' playwright")
    if not CHROMIUM:
        pytest.skip("chromium is not installed: apt-get install --no-install-recommends chromium")


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Give the address of an application that runs in a thread, at a port that is free."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started and time.monotonic() < until:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


class Visitor:
    """A page in a context of its own, with the requests to other hosts and the errors of its console."""

    def __init__(self, browser: Any, address: str, *, width: int, language: str = "en-US", token: str = "") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, locale=language)
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.foreign: list[str] = []
        self.errors: list[str] = []
        self.requests = 0
        host = urlsplit(address).netloc
        self.page.on("request", lambda request: self._asked(request.url, host))
        self.page.on("console", lambda one: self.errors.append(one.text) if one.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(address)
        if token:
            self.page.fill("input[name=token]", token)
            self.page.click("button")
        self.page.wait_for_selector("#mg-learn")

    def _asked(self, url: str, host: str) -> None:
        parts = urlsplit(url)
        self.requests += 1
        if parts.scheme not in ALLOWED and parts.netloc != host:
            self.foreign.append(url)

    def learn(self, name: str) -> None:
        """Click a ready-made set, and learn it."""
        first = {"tickets": "charged twice", "names": "Ann Lee", "answers": "Who runs", "moods": "loved"}[name]
        self.page.click(f"#mg-{name}")
        self.in_table(first)
        self.page.click("#mg-learn")
        self.page.wait_for_selector("#mg-reply .mg-said")

    def in_table(self, text: str) -> None:
        """Wait until the table shows a text."""
        self.page.wait_for_function("text => document.querySelector('#mg-table').innerText.includes(text)", arg=text)

    def said(self) -> str:
        """Return what was predicted last."""
        return self.page.inner_text("#mg-reply .mg-said")

    def wide(self) -> bool:
        """Return whether the page is wider than its window."""
        return self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")

    def shot(self, file: Path | None) -> None:
        """Save a picture of the whole page, where a file is given."""
        if file is not None:
            self.page.wait_for_timeout(500)
            self.page.screenshot(path=str(file), full_page=True)

    def closed(self) -> None:
        """Close the page; nothing was asked of another host, and the console has no error."""
        self.context.close()
        assert self.requests > 10
        assert self.foreign == []
        assert not self.errors, self.errors
