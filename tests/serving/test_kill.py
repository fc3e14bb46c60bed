"""Real processes: killed under load, ended politely, and a worker that is killed or takes too long."""

import argparse
import asyncio
import os
import signal
import threading
from pathlib import Path

import pytest
from benchmarks.soak import soak
from benchmarks.soaked_server import SoakedServer
from tests.serving.servers import EXAMPLES, TASK, running

from metaglot.adaptation import Model
from metaglot.serving import Client
from metaglot.serving.jobs.process import ProcessWorker
from metaglot.serving.jobs.work import Order, OrderError

pytestmark = pytest.mark.slow


def options(**changes: object) -> argparse.Namespace:
    usual = {"model": "builtin:tiny", "clients": 16, "tenants": 4, "seconds": 3, "kills": 2, "seed": 0}
    return argparse.Namespace(**({"worker": "thread", "database": None} | usual | changes))


def test_nothing_is_lost_mixed_up_or_double_under_load_and_kills(tmp_path: Path, tiny: str):
    count = asyncio.run(soak(options(model=tiny), tmp_path))
    assert (count.kills, count.lost, count.mixed, count.double, count.other) == (2, 0, 0, 0, 0)
    assert sum(map(len, count.seconds.values())) > 100


def test_a_server_ends_politely_and_goes_on_where_it_was(tmp_path: Path, tiny: str):
    server = SoakedServer(tiny, tmp_path, worker="thread")
    (token,) = server.tokens(["acme"])
    server.start()
    with Client(server.url, token=token) as client:
        task = client.create("x", EXAMPLES, effort="instant")
        before = client.predict(task.id, ["A fee?"], top_k=2)
        assert server.end() == 0
        server.start()
        assert client.predict(task.id, ["A fee?"], top_k=2) == before
    server.kill()
    log = server.log.read_text("utf-8")
    assert "Traceback" not in log
    assert "A fee?" not in log
    logged = [line for line in log.splitlines() if line.startswith("{")]
    assert len(logged) >= 3
    assert not any(EXAMPLES[0]["text"] in line for line in logged)


@pytest.fixture(scope="module")
def worker(tiny: str):
    own = ProcessWorker(tiny, threads=1)
    own.start()
    yield own
    own.close()


def order(folder: Path, **changes: object) -> Order:
    return Order("classification", "instant", 0, list(EXAMPLES), None, str(folder / "part"))._replace(**changes)


def test_a_process_adapts_to_the_same_weights(worker: ProcessWorker, model: Model, tmp_path: Path):
    done = worker.run(order(tmp_path), 60)
    assert (done.labels, done.examples) == (["billing", "technical"], 4)
    texts, labels = [one["text"] for one in EXAMPLES], [one["label"] for one in EXAMPLES]
    model.adapt(texts, labels, effort="instant").save(tmp_path / "own", keep_examples=True)
    ours, its = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("own", "part"))
    assert ours == its


def test_a_process_that_is_killed_or_slow_is_said_and_begun_again(worker: ProcessWorker, tmp_path: Path):
    assert worker.pid is not None
    threading.Timer(0.3, os.kill, (worker.pid, signal.SIGKILL)).start()
    with pytest.raises(OrderError, match="ended") as caught:
        worker.run(order(tmp_path, effort="thorough", examples=EXAMPLES * 200), 60)
    assert caught.value.fault == "server"
    with pytest.raises(OrderError, match="longer than 0") as caught:
        worker.run(order(tmp_path, effort="thorough", examples=EXAMPLES * 200), 0.5)
    assert caught.value.fault == "request"
    with pytest.raises(OrderError, match="at least two classes"):
        worker.run(order(tmp_path, examples=EXAMPLES[:2]), 60)
    assert worker.run(order(tmp_path), 60).examples == 4


def test_a_job_that_ran_when_the_server_ended_is_run_again(model: Model, tmp_path: Path):
    class Stuck:
        def start(self) -> None:
            pass

        def run(self, order: Order, seconds: float) -> None:
            gone.wait(30)
            raise OrderError("closed", "server")

        def close(self) -> None:
            gone.set()

    gone = threading.Event()
    with running(model, tmp_path / "store", worker=Stuck()) as server:  # pyright: ignore
        client = server.client("acme")
        headers = {**client.headers, "Idempotency-Key": "k"}
        job = client.post("/v1/tasks", json=TASK | {"wait": 0}, headers=headers).json()
        while client.get(f"/v1/jobs/{job['id']}").json()["state"] != "running":
            pass
        assert client.get(f"/v1/tasks/{job['task']}").json()["state"] == "adapting"
        answer = client.post(f"/v1/tasks/{job['task']}/predict", json={"inputs": ["x"]})
        assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")
    with running(model, tmp_path / "store") as server:
        again = server.client("acme").post("/v1/tasks", json=TASK, headers={"Idempotency-Key": "k"})
        assert again.json()["id"] == job["task"]
