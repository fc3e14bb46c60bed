"""No request holds the model or the memory for long, and what goes wrong on the disk is said and leaves nothing."""

import shutil
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving.servers import EXAMPLES, TASK, Server, flaw, made, running

from metaglot.adaptation import Adapted, Model
from metaglot.serving.engine.request import Options
from metaglot.serving.forms.texts import Input
from metaglot.serving.jobs.thread import ThreadWorker
from metaglot.serving.jobs.work import Done, Order
from metaglot.serving.limits import Limits
from metaglot.serving.pieces import LETTERS, MOST, Ask, pieces_of
from metaglot.serving.store.tables import Task, Version

SPANS = [
    {"text": "Ann is in Oslo.", "label": [{"start": 0, "end": 3, "label": "PER"}]},
    {"text": "Bob is here.", "label": [{"start": 0, "end": 3, "label": "PER"}]},
]


@pytest.fixture(scope="module")
def tagger(model: Model) -> Adapted:
    return model.adapt(
        [one["text"] for one in SPANS], [one["label"] for one in SPANS], task="tagging", effort="instant"
    )


@pytest.fixture(scope="module")
def topics(model: Model) -> Adapted:
    return model.adapt([one["text"] for one in EXAMPLES], [one["label"] for one in EXAMPLES], effort="instant")


def test_a_request_is_read_in_pieces_of_bounded_work(tagger: Adapted, topics: Adapted):
    inputs = [Input(text="Eve is in Rome. " * (1 + 17 * (row % 9))) for row in range(100)] + [Input(text=" ")]
    long = Input(text="x" * (LETTERS * MOST + 1))
    for task in (tagger, topics):
        pieces = list(pieces_of(task, Ask("", [*inputs, long]), 3))
        assert [one for piece in pieces for one in piece.inputs] == [*inputs[:-1], long]
        assert all(piece.size <= MOST or len(piece.inputs) == 1 for piece in pieces)
        assert {piece.ask for piece in pieces} == {3}
        assert all(piece.request.options == Options() for piece in pieces)
    whole, cut = (list(pieces_of(task, Ask("", [long]), 0)) for task in (tagger, topics))
    assert (whole[0].size, cut[0].size) == (MOST + 1, -(-4 * topics.fit.encoder.max_length // LETTERS))


def test_what_is_read_in_pieces_is_answered_as_alone(client: httpx.Client, tagger: Adapted):
    task = made(client, examples=SPANS)["id"]
    texts = [f"{name} is in Rome. " * 20 for name in ("Ann", "Bob", "Eve")] * 12 + [" "]
    found = client.post(f"/v1/tasks/{task}/predict", json={"inputs": texts}).json()["predictions"]
    assert found.pop() == {"label": None}
    alone = tagger.predict(texts[:3])
    assert [[(s["start"], s["end"], s["label"]) for s in one["label"]] for one in found] == [
        [(span.start, span.end, span.label) for span in one] for one in alone
    ] * 12
    many = [{"task": task, "text": texts[0]}, {"task": task, "text": "x", "pair": "y"}]
    assert flaw(client.post("/v1/predict", json={"rows": many}), 422)[0] == "rows.0.pair"


def test_an_answer_has_so_many_probabilities_and_a_label_so_many_characters(model: Model, tmp_path: Path):
    limits = Limits(probabilities=7, label_characters=12, marked_characters=30)
    with running(model, tmp_path / "store", limits=limits) as server:
        client = server.client("acme")
        path = f"/v1/tasks/{made(client)['id']}/predict"
        assert client.post(path, json={"inputs": ["a"] * 3, "top_k": 9}).status_code == 200
        assert flaw(client.post(path, json={"inputs": ["a"] * 4, "top_k": 9}), 422)[0] == "top_k"
        assert client.post(path, json={"inputs": ["a"] * 9}).status_code == 200
        long = [*EXAMPLES, {"text": "x", "label": "y" * 13}]
        assert "13 characters" in flaw(client.post("/v1/tasks", json=TASK | {"examples": long}), 422)[1]
        assert made(client, examples=SPANS)["family"] == "tagging"
        assert "54 characters" in flaw(client.post("/v1/tasks", json=TASK | {"examples": SPANS * 2}), 422)[1]


def test_weights_that_are_damaged_are_said_and_others_answer(server: Server):
    client = server.client("unlucky")
    task, other = (
        made(client, examples=[*EXAMPLES, {"text": "A broken folder.", "label": "technical"}]),
        made(client, examples=SPANS),
    )
    path = f"/v1/tasks/{task['id']}"
    with server.context.store.database.read() as session:
        digest = session.query(Version).where(Version.task_id == task["id"]).one().digest
    folder = server.context.store.weights.path(digest)
    (folder / "weights.safetensors").write_bytes(b"no weights")
    where, why = flaw(client.post(f"{path}/predict", json={"inputs": ["a"]}), 500)
    assert (where, "roll back" in why, str(folder) in why) == ("id", True, False)
    refused = client.post(f"{path}/examples", json={"examples": EXAMPLES[:1]})
    assert (refused.status_code, "cannot be read" in refused.json()["detail"]) == (503, True)
    assert client.post(f"/v1/tasks/{other['id']}/predict", json={"inputs": ["Ann is here."]}).status_code == 200
    shutil.rmtree(folder)
    with server.context.store.database.write() as session:  # as if it had been removed while it was asked
        session.delete(session.get_one(Task, task["id"]))
    assert flaw(client.post(f"{path}/predict", json={"inputs": ["a"]}), 404)[0] == "id"


class Slow:
    """A worker that waits until it may, before each order."""

    def __init__(self, model: Model) -> None:
        self._own, self.may, self.began = ThreadWorker(model), threading.Event(), threading.Event()
        self.may.set()
        self.breaks = False

    def start(self) -> None: ...

    def close(self) -> None: ...

    def run(self, order: Order, seconds: float) -> Done:
        self.began.set()
        assert self.may.wait(30)
        done = self._own.run(order, seconds)
        if self.breaks:
            raise OSError("no space left on device")
        return done


def test_a_version_knows_what_it_was_made_of_whatever_happens_meanwhile(model: Model, tmp_path: Path):
    worker = Slow(model)
    with running(model, tmp_path / "store", worker=worker, limits=Limits(examples=6, versions=4)) as server:
        client = server.client("acme")
        path = f"/v1/tasks/{made(client)['id']}"
        more: dict[str, Any] = {"examples": [{"text": "Where is my parcel?", "label": "delivery"}]}
        assert client.post(f"{path}/examples", json=more).status_code == 200
        worker.may.clear()
        worker.began.clear()
        jobs = [client.post(f"{path}/examples", json=more | {"wait": 0}).json()["id"] for _ in "ab"]
        assert "4 versions" in flaw(client.post(f"{path}/examples", json=more | {"wait": 0}), 422)[1]
        assert worker.began.wait(30)
        client.post(f"{path}/rollback", json={"version": 1})
        worker.may.set()
        ended = [ended_job(client, job) for job in jobs]
        assert [job["state"] for job in ended] == ["done", "failed"]
        assert "6 examples at most" in ended[1]["reason"]
        third = client.get(f"{path}/versions").json()["versions"][2]
        assert (third["parent"], third["examples"], len(client.get(f"{path}/examples").json()["examples"])) == (2, 6, 6)


def ended_job(client: httpx.Client, job: str) -> dict[str, Any]:
    with client.stream("GET", f"/v1/jobs/{job}/events") as events:
        events.read()
    return client.get(f"/v1/jobs/{job}").json()


def test_a_job_that_fails_leaves_nothing_on_the_disk(model: Model, tmp_path: Path):
    worker = Slow(model)
    with running(model, tmp_path / "store", worker=worker) as server:
        worker.breaks = True
        response = server.client("acme").post("/v1/tasks", json=TASK)
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")
        assert list((tmp_path / "store" / "weights").rglob("*.safetensors")) == []


def test_a_tenant_fills_the_disk_to_a_limit(model: Model, tmp_path: Path):
    with running(model, tmp_path / "store", limits=Limits(tenant_megabytes=1)) as server:
        client, weights = server.client("acme"), tmp_path / "store" / "weights"
        made(client)
        (before,) = weights.glob("*/weights.safetensors")
        with server.context.store.database.write() as session:
            (version,) = session.query(Version)
            assert version.bytes > before.stat().st_size
            version.bytes = (1 << 20) - 1000
        assert "1 MB on the disk" in flaw(client.post("/v1/tasks", json=TASK | {"seed": 1, "name": "b"}), 422)[1]
        assert len(list(weights.glob("*/weights.safetensors"))) == 1
        with server.context.store.database.write() as session:
            session.query(Version).one().bytes = 1 << 20
        assert flaw(client.post("/v1/tasks", json=TASK), 422)[0] == "tasks"
        assert server.client("other").post("/v1/tasks", json=TASK).status_code == 201


def test_versions_from_before_are_counted_when_a_server_begins(model: Model, tmp_path: Path):
    for _ in range(2):
        with running(model, tmp_path / "store") as server:
            with server.context.store.database.write() as session:
                counted = [version.bytes for version in session.query(Version)]
                for version in session.query(Version):
                    version.bytes = 0
            if not counted:
                made(server.client())
                with server.context.store.database.write() as session:
                    session.query(Version).one().bytes = 0
    assert counted[0] > 1000


class Held(ThreadWorker):
    """A worker that begins nothing before it may."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.may = threading.Event()

    def run(self, order: Order, seconds: float) -> Done:
        assert self.may.wait(60)
        return super().run(order, seconds)


def test_a_full_queue_refuses_what_is_new_before_all_else_and_knows_what_it_has(model: Model, tmp_path: Path):
    worker, key = Held(model), {"Idempotency-Key": "first"}
    with running(model, tmp_path / "store", worker=worker, limits=Limits(waiting_jobs=1)) as server:
        client = server.client("one")
        begun = client.post("/v1/tasks", json=TASK | {"wait": 0}, headers=key)
        assert begun.status_code == 202
        mixed = [{"text": "one", "label": "a"}, {"text": "two", "label": 2.5}]  # no kind of task has such examples
        refused = client.post("/v1/tasks", json={"name": "new", "examples": mixed})
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")
        again = client.post("/v1/tasks", json=TASK | {"wait": 0}, headers=key)
        assert (again.status_code, again.json()["id"]) == (202, begun.json()["id"])
        worker.may.set()
        assert client.post("/v1/tasks", json=TASK, headers=key).status_code == 201
        assert client.post("/v1/tasks", json={"name": "new", "examples": mixed}).status_code == 422
