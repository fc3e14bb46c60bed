"""The connection to a Ray cluster, with a stand-in for Ray."""

import signal
import sys
from types import ModuleType

import pytest

from metaglot.cluster import connected
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
