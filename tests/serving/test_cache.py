"""Tasks stay in memory within a bound, the one asked last the longest, and a load is one for all who wait."""

import asyncio
import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from metaglot import Adapted
from metaglot.adaptation import load_model
from metaglot.errors import MetaglotError
from metaglot.models import Runtime
from metaglot.serving.engine import Cache, bytes_of
from metaglot.serving.engine.cache import OBJECT


@pytest.fixture(scope="module")
def whole(tiny) -> Adapted:
    model = load_model(tiny, Runtime(precision="fp32", device="cpu"))
    return model.adapt(["an apple", "a saw", "a pear", "a drill"], ["fruit", "tool"] * 2, effort="instant")


@pytest.fixture(scope="module")
def lean(whole) -> Adapted:
    return Adapted(dataclasses.replace(whole.fit, units=None, examples=type(whole.examples)(), provenance={}))


def test_bytes_are_those_of_tensors_and_texts(whole, lean):
    head = sum(value.numel() * value.element_size() for value in lean.fit.params.values())
    assert head + OBJECT <= bytes_of(lean) < head + OBJECT + 400
    assert bytes_of(whole) > bytes_of(lean) + 3 * whole.fit.units.features.numel() * 4


def test_the_one_asked_last_stays(lean):
    loads: list[int] = []
    cache = Cache[int](lambda key, whole: loads.append(key) or lean, limit_bytes=3 * bytes_of(lean))
    for key in (1, 2, 3, 1, 4, 1, 2):
        assert cache.get(key) is lean
    assert loads == [1, 2, 3, 4, 2]
    assert (cache.stats.tasks, cache.stats.evicted, cache.stats.hits, cache.stats.misses) == (3, 2, 2, 5)
    assert cache.stats.bytes == 3 * bytes_of(lean)
    for key in (1, 2, 4, 5):
        cache.drop(key)
    assert (cache.stats.tasks, cache.stats.bytes) == (0, 0)


def test_one_too_large_for_the_bound_is_kept_alone(lean, whole):
    cache = Cache[str](lambda key, needed: whole, limit_bytes=1)
    cache.put("a", lean)
    assert cache.get("b") is whole
    assert cache.stats.tasks == 1


def test_the_whole_task_takes_the_place_of_the_small_one(lean, whole):
    loads: list[bool] = []
    cache = Cache[str](lambda key, needed: loads.append(needed) or (whole if needed else lean))
    assert [cache.get("a", whole=needed) for needed in (False, True, False, True)] == [lean, whole, whole, whole]
    assert loads == [False, True]
    assert cache.stats.bytes == bytes_of(whole)


def test_one_load_for_many_and_its_error_for_all(lean):
    started, may = threading.Event(), threading.Event()
    loads: list[str] = []

    def load(key: str, whole: bool) -> Adapted:
        loads.append(key)
        started.set()
        assert may.wait(10)
        if key == "bad":
            raise MetaglotError("damaged")
        return lean

    cache = Cache[str](load)
    for key in ("good", "bad"):
        started.clear()
        may.clear()
        with ThreadPoolExecutor(8) as pool:
            waiting = [pool.submit(cache.get, key) for _ in range(8)]
            assert started.wait(10)
            may.set()
            found = [one.exception() or one.result() for one in waiting]
        assert all(one is lean for one in found) if key == "good" else all("damaged" in str(one) for one in found)
    assert loads.count("good") == 1
    assert cache.stats.tasks == 1


def test_what_was_dropped_while_it_was_loaded_is_not_kept(lean):
    def load(key: str, whole: bool) -> Adapted:
        cache.drop(key)
        return lean

    cache = Cache[str](load)
    assert cache.get("a") is lean
    assert cache.stats.tasks == 0


def test_in_a_loop_it_does_not_block(lean):
    async def scenario() -> None:
        cache = Cache[str](lambda key, whole: lean)
        assert await cache.fetch("a") is lean
        assert await cache.fetch("a") is lean
        assert (cache.stats.hits, cache.stats.misses) == (1, 1)

    asyncio.run(scenario())
