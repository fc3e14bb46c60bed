"""Requests that wait together are answered together, tenants take turns, and who leaves or is too much is told."""

import asyncio
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from metaglot.data.examples import Inputs
from metaglot.errors import MetaglotError
from metaglot.serving.engine import Batcher, Limits, Overloaded, Request


def request(*texts: str) -> Request:
    return Request(SimpleNamespace(), Inputs.of(texts))  # pyright: ignore[reportArgumentType]


class Model:
    """Answers with the texts of a request, when it may; notes its batches."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[str, ...]]] = []
        self.threads: set[int] = set()
        self.may = threading.Event()
        self.may.set()

    def outcomes(self, rows: Sequence[Request]) -> list[Any]:
        assert self.may.wait(10)
        self.threads.add(threading.get_ident())
        self.batches.append([row.inputs.texts for row in rows])
        if any("boom" in row.inputs.texts for row in rows):
            raise RuntimeError("boom")
        return [MetaglotError("no") if row.inputs.texts == ("bad",) else row.inputs.texts for row in rows]


def run(scenario, limits: Limits = Limits(max_delay_ms=20.0)) -> Model:
    model = Model()

    async def whole() -> None:
        batcher = Batcher(model.outcomes, limits)
        await batcher.start()
        try:
            await asyncio.wait_for(scenario(batcher, model), 10)
        finally:
            model.may.set()
            await batcher.stop()

    asyncio.run(whole())
    return model


async def in_queue(batcher: Batcher, count: int) -> None:
    while batcher.waiting < count:
        await asyncio.sleep(0.001)


async def busy(batcher: Batcher, model: Model) -> asyncio.Task[Any]:
    """The worker has a batch that lasts until the model may."""
    model.may.clear()
    first = asyncio.create_task(batcher.submit("first", request("first")))
    await in_queue(batcher, 1)
    while batcher.waiting:
        await asyncio.sleep(0.001)
    return first


def test_who_comes_within_the_delay_is_answered_together_and_gets_its_own():
    async def scenario(batcher, model):
        asked = [batcher.submit(f"t{i % 3}", request(f"text {i}")) for i in range(9)]
        assert await asyncio.gather(*asked) == [(f"text {i}",) for i in range(9)]
        assert (batcher.stats.batches, batcher.stats.requests, batcher.stats.texts) == (1, 9, 9)

    model = run(scenario)
    assert len(model.batches) == 1
    assert len(model.threads) == 1


def test_tenants_take_turns():
    async def scenario(batcher, model):
        first = await busy(batcher, model)
        many = [asyncio.create_task(batcher.submit("many", request(f"m{i}"))) for i in range(6)]
        await in_queue(batcher, 6)
        few = [asyncio.create_task(batcher.submit(f"few{i}", request(f"f{i}"))) for i in range(2)]
        await in_queue(batcher, 8)
        model.may.set()
        await asyncio.gather(first, *many, *few)

    model = run(scenario, Limits(max_texts=3, max_delay_ms=1.0))
    assert model.batches[1] == [("m0",), ("f0",), ("f1",)]
    assert [len(batch) for batch in model.batches[1:]] == [3, 3, 2]


def test_a_large_request_is_a_batch_of_its_own():
    async def scenario(batcher, model):
        asked = [
            batcher.submit("a", request("x")),
            batcher.submit("b", request(*"abcdefgh")),
            batcher.submit("c", request("y")),
        ]
        assert [len(one) for one in await asyncio.gather(*asked)] == [1, 8, 1]

    model = run(scenario, Limits(max_texts=4, max_delay_ms=20.0))
    assert [sum(map(len, batch)) for batch in model.batches] == [1, 8, 1]


def test_an_error_is_that_of_its_request():
    async def scenario(batcher, model):
        found = await asyncio.gather(
            batcher.submit("a", request("bad")), batcher.submit("b", request("good")), return_exceptions=True
        )
        assert isinstance(found[0], MetaglotError)
        assert found[1] == ("good",)
        with pytest.raises(RuntimeError, match="boom"):
            await batcher.submit("a", request("boom"))
        with pytest.raises(ZeroDivisionError):
            await batcher.call("a", lambda: 1 / 0)
        assert await batcher.call("a", threading.get_ident) in model.threads

    run(scenario)


def test_too_much_is_refused_with_a_time():
    async def scenario(batcher, model):
        first = await busy(batcher, model)
        waiting = [asyncio.create_task(batcher.submit("a", request("1", "2", "3")))]
        await in_queue(batcher, 3)
        with pytest.raises(Overloaded, match="of yours 4") as refused:
            await batcher.submit("a", request("4", "5"))
        assert refused.value.retry_after > 0
        assert not refused.value.closing
        waiting.append(asyncio.create_task(batcher.submit("b", request("6", "7"))))
        await in_queue(batcher, 5)
        with pytest.raises(Overloaded, match="of all 6"):
            await batcher.submit("c", request("8", "9"))
        assert batcher.stats.refused == 2
        model.may.set()
        await asyncio.gather(first, *waiting)
        assert batcher.waiting == 0
        assert await batcher.submit("a", request(*"abcdefgh")) == tuple("abcdefgh")  # an empty queue takes any

    run(scenario, Limits(max_waiting=6, max_waiting_tenant=4, max_delay_ms=1.0))


def test_who_is_cancelled_leaves_the_queue():
    async def scenario(batcher, model):
        first = await busy(batcher, model)
        gone, stays = (asyncio.create_task(batcher.submit("a", request(text))) for text in ("gone", "stays"))
        await in_queue(batcher, 2)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert batcher.waiting == 1
        assert batcher.stats.cancelled == 1
        first.cancel()  # the model works for it already: its answer goes to nobody
        model.may.set()
        assert await stays == ("stays",)

    model = run(scenario)
    assert [("gone",)] not in model.batches


def test_closing_answers_what_waits_and_refuses_the_rest():
    async def scenario(batcher, model):
        first = await busy(batcher, model)
        waiting = [asyncio.create_task(batcher.submit("a", request(str(i)))) for i in range(5)]
        await in_queue(batcher, 5)
        end = asyncio.create_task(batcher.stop())
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as refused:
            await batcher.submit("b", request("late"))
        assert refused.value.closing
        model.may.set()
        await end
        assert await asyncio.gather(first, *waiting) == [("first",), *((str(i),) for i in range(5))]

    run(scenario)
