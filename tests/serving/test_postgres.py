"""A real PostgreSQL that goes away under load, and comes back."""

import threading
import time
from pathlib import Path

import pytest
from tests.serving.conftest import running_postgres
from tests.serving.servers import EXAMPLES, TASK, running

from metaglot.adaptation import Model
from metaglot.serving import Client
from metaglot.serving.store import tokens

pytestmark = pytest.mark.slow


def test_a_database_that_is_restarted_under_load_loses_nothing(model: Model, tmp_path: Path):
    with running_postgres() as postgres, running(model, tmp_path / "store", database=postgres.url) as server:
        with server.context.store.database.write() as session:
            token = tokens.add(session, "acme").secret
        acknowledged: dict[str, int] = {}
        stop, faults = threading.Event(), list[BaseException]()

        def load() -> None:
            try:
                with Client(server.url, token=token, retries=30) as client:
                    while not stop.is_set():
                        task = client.create("x", EXAMPLES, effort="instant")
                        acknowledged[task.id] = 1
                        more = client.add_examples(task.id, [("A bill.", "billing")])
                        assert more.version is not None
                        acknowledged[task.id] = more.version.number
                        client.predict(task.id, ["a bill"])
            except BaseException as error:
                faults.append(error)

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(2):
            time.sleep(0.5)
            postgres.stop()
            response = server.client(headers={"Authorization": f"Bearer {token}"}).post("/v1/tasks", json=TASK)
            assert (response.status_code, response.headers["retry-after"]) == (503, "1")
            assert server.client().get("/readyz").status_code == 503
            postgres.start()
        time.sleep(1)
        stop.set()
        for thread in threads:
            thread.join()
        assert faults == []
        with Client(server.url, token=token) as client:
            there = {task.id: task for task in client.tasks()}
            assert set(acknowledged) == set(there)  # none is lost, and none is there twice
            assert all(len(client.versions(key).versions) == number for key, number in acknowledged.items())
        print(f"{len(acknowledged)} tasks over two restarts")
        assert len(acknowledged) >= 4
