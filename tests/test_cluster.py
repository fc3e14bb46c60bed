"""The connection to a Ray cluster, with a stand-in for Ray."""

import signal
import socket
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import ModuleType

import pytest

from metaglot.cluster import PREFACE, SETTINGS, address_of, check_reachable, connected
from metaglot.errors import MetaglotError


@pytest.mark.parametrize("fails", [False, True])
def test_sigterm_asks_training_to_save_though_ray_would_end_the_process(monkeypatch, fails):
    def init(*_: object, **__: object) -> None:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(number))  # as Ray does
        if fails:
            raise ConnectionError("nobody answers")

    ray, exceptions = ModuleType("ray"), ModuleType("ray.exceptions")
    ray.__dict__.update(init=init, is_initialized=lambda: False, shutdown=lambda: None, exceptions=exceptions)
    exceptions.__dict__["RayError"] = RuntimeError
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.exceptions", exceptions)
    monkeypatch.setattr("metaglot.cluster.find_spec", lambda _: True)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    asked: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    try:
        if fails:
            with pytest.raises(MetaglotError, match="no Ray cluster could be reached"), connected("ray"):
                pass
            signal.raise_signal(signal.SIGTERM)
        else:
            with connected("ray"):
                signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert asked == [signal.SIGTERM]


@contextmanager
def answering(answer: bytes | None) -> Generator[str]:
    """Give the address of something that answers the first line so, or, if None, never."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            link, _ = server.accept()
            with link:
                link.recv(len(PREFACE))
                if answer is not None:
                    link.sendall(answer)
                else:
                    link.recv(1)  # until the other side leaves

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"ray:127.0.0.1:{server.getsockname()[1]}"
        thread.join(10)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"no", None])
def test_what_listens_and_is_not_ray_is_told_soon(monkeypatch, metaglot, small_recipe, tmp_path, answer):
    monkeypatch.setattr("metaglot.cluster.find_spec", lambda _: True)
    monkeypatch.setattr("metaglot.cluster.ANSWERS_WITHIN", 0.2)
    began = time.monotonic()
    with answering(answer) as on:
        said = metaglot("pretrain", small_recipe, "--out", tmp_path / "run", "--on", on)
    assert (said.code, said.err.count("metaglot:")) == (2, 1)
    assert "something else than Ray listens there" in said.err
    assert time.monotonic() - began < 5
    assert not (tmp_path / "run").exists()


def test_what_speaks_as_ray_does_is_reachable(monkeypatch):
    monkeypatch.setattr("metaglot.cluster.find_spec", lambda _: True)
    with answering(SETTINGS[:2] + b"\x12" + SETTINGS[3:] + bytes(18)) as on:
        check_reachable(on)


@pytest.mark.parametrize("port", ["0", "99999"])
def test_a_port_that_cannot_be_is_told(port):
    with pytest.raises(MetaglotError, match="expected ray, "):
        address_of(f"ray:127.0.0.1:{port}")
