"""Jobs go on whatever happens between two of them."""

import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.serving.test_store import asked

from metaglot.serving.jobs import dispatcher
from metaglot.serving.jobs.dispatcher import Dispatcher
from metaglot.serving.jobs.work import Done, Order
from metaglot.serving.limits import Limits
from metaglot.serving.store import jobs
from metaglot.serving.store.database import UnavailableError
from metaglot.serving.store.store import Store
from metaglot.serving.store.tables import Job


class Writer:
    """A worker that writes a file in place of weights."""

    def start(self) -> None: ...

    def run(self, order: Order, seconds: float) -> Done:
        folder = Path(order.part)
        folder.mkdir()
        (folder / "weights.safetensors").write_text("x")
        return Done(["a", "b"], len(order.examples), None, 0.1)

    def close(self) -> None: ...


@contextmanager
def at_work(store: Store):
    store.recover()
    one = Dispatcher(store, Writer(), Limits(), finished=lambda _: None)
    one.start()
    try:
        yield one
    finally:
        one.close()


def state_in_time(store: Store, job: Job) -> str:
    """The state of a job once it has ended, or after five seconds."""
    end = time.monotonic() + 5
    while True:
        with store.database.read() as session:
            state = session.get_one(Job, job.id).state
        if state == jobs.DONE or time.monotonic() > end:
            return state
        time.sleep(0.01)


def failing(times: int, error: Exception, then):
    """A function that fails a few times before it is another."""
    left = [error] * times

    def step(*arguments):
        if left:
            raise left.pop()
        return then(*arguments)

    return step


def test_no_job_is_lost_where_old_ones_cannot_be_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dispatcher, "TIDY", 0.0)
    monkeypatch.setattr(dispatcher, "IDLE", 0.01)
    with at_work(store):
        monkeypatch.setattr(Store, "tidy", failing(3, UnavailableError("away"), Store.tidy))
        job = asked(store)
        assert state_in_time(store, job) == jobs.DONE


@pytest.mark.parametrize("error", [UnavailableError("away"), ValueError("the database is malformed")], ids=repr)
def test_jobs_go_on_after_an_error(store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception):
    monkeypatch.setattr(dispatcher, "IDLE", 0.01)
    monkeypatch.setattr(jobs, "next_queued", failing(2, error, jobs.next_queued))
    job = asked(store)
    with at_work(store):
        assert state_in_time(store, job) == jobs.DONE
