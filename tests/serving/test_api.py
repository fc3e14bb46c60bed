"""Each route, the whole way: what goes in, and what comes back."""

import json
import uuid
from typing import Any

import httpx
import pytest
from tests.serving.servers import EXAMPLES, TASK, Server, flaw, made

from metaglot.adaptation import Model


def test_a_task_is_learnt_and_predicts(client: httpx.Client, model: Model):
    task = made(client)
    assert (task["state"], task["family"], task["version"]["labels"]) == (
        "ready",
        "classification",
        ["billing", "technical"],
    )
    assert task["version"]["expected"]["low"] <= task["version"]["expected"]["accuracy"]
    texts = ["Why a fee?", "It is black.", "  "]
    asked = {"inputs": texts, "top_k": 2, "explain": 1, "unknown": "none"}
    response = client.post(f"/v1/tasks/{task['id']}/predict", json=asked)
    adapted = model.adapt([one["text"] for one in EXAMPLES], [one["label"] for one in EXAMPLES], effort="instant")
    found = response.json()["predictions"]
    assert found[2] == {"label": None}
    for one, row in zip(found[:2], adapted.predict_proba(texts[:2]), strict=True):
        assert [chance["probability"] for chance in one["probabilities"]] == pytest.approx(sorted(row, reverse=True))
        assert one["because"][0]["text"] in [example["text"] for example in EXAMPLES]
    assert [one["label"] for one in found[:2]] == adapted.predict(texts[:2], unknown="none")
    assert client.get(f"/v1/tasks/{task['id']}").json() == task
    assert client.get("/v1/tasks").json() == {"tasks": [task], "next": None}


def test_a_task_is_removed(client: httpx.Client, server: Server):
    task = made(client, name="gone", seed=1)
    assert client.delete(f"/v1/tasks/{task['id']}").status_code == 204
    assert flaw(client.delete(f"/v1/tasks/{task['id']}"), 404) == ("id", "there is no such task")
    assert flaw(client.post(f"/v1/tasks/{task['id']}/predict", json={"inputs": ["a"]}), 404)[0] == "id"
    assert client.get("/v1/tasks").json()["tasks"] == []
    assert client.get("/v1/jobs").json()["jobs"] == []


def test_examples_are_added_and_taken_back(client: httpx.Client):
    task = made(client)
    path = f"/v1/tasks/{task['id']}"
    more = client.post(f"{path}/examples", json={"examples": [{"text": "Where is my parcel?", "label": "delivery"}]})
    assert more.status_code == 200, more.text
    assert more.json()["version"]["labels"] == ["billing", "technical", "delivery"]
    predict = {"inputs": ["The parcel is lost."], "top_k": 5}
    after = client.post(f"{path}/predict", json=predict).json()
    assert (after["version"], len(after["predictions"][0]["probabilities"])) == (2, 3)
    assert [one["label"] for one in client.get(f"{path}/examples").json()["examples"]][-2:] == ["technical", "delivery"]
    back = client.post(f"{path}/rollback", json={"version": 1})
    assert client.get(f"{path}/examples").json()["examples"] == EXAMPLES
    assert back.json()["version"]["number"] == 1
    assert len(client.post(f"{path}/predict", json=predict).json()["predictions"][0]["probabilities"]) == 2
    third = client.post(f"{path}/examples", json={"examples": [{"text": "A bill.", "label": "billing"}]}).json()
    versions = client.get(f"{path}/versions").json()
    assert versions["current"] == third["version"]["number"] == 3
    assert [(one["number"], one["parent"], one["examples"]) for one in versions["versions"]] == [
        (1, None, 4),
        (2, 1, 5),
        (3, 1, 5),
    ]
    assert flaw(client.post(f"{path}/rollback", json={"version": 9}), 422)[0] == "version"


KINDS: dict[str, tuple[list[dict[str, Any]], Any]] = {
    "multilabel": (
        [{"text": "red", "label": ["a"]}, {"text": "blue", "label": ["a", "b"]}, {"text": "sea", "label": []}],
        "red",
    ),
    "regression": ([{"text": f"{n} stars", "label": n + 0.5} for n in range(4)], "2 stars"),
    "tagging": (
        [
            {"text": "Ann is in Oslo.", "label": [{"start": 0, "end": 3, "label": "PER"}]},
            {"text": "Bob is here.", "label": [{"start": 0, "end": 3, "label": "PER"}]},
        ],
        "Eve is in Rome.",
    ),
    "choice": (
        [{"text": "When?", "candidates": ["At noon.", "In Oslo."], "label": 0}] * 2,
        {"text": "Where?", "candidates": ["At noon.", "In Oslo."]},
    ),
    "question-answering": (
        [{"text": "Who is here?", "pair": "Bob is here.", "label": {"text": "Bob", "start": 0}}] * 2,
        {"text": "Who is there?", "pair": "Eve is there."},
    ),
    "classification": ([{"text": "one", "label": 1}, {"text": "two", "label": 2}], "one"),
}


@pytest.mark.parametrize("family", KINDS)
def test_each_kind_is_seen_by_its_labels(client: httpx.Client, family: str):
    examples, asked = KINDS[family]
    task = made(client, examples=examples)
    assert task["family"] == family
    response = client.post(f"/v1/tasks/{task['id']}/predict", json={"inputs": [asked]})
    assert response.status_code == 200, response.text
    (found,) = response.json()["predictions"]
    print(f"{family}: {found}")
    kinds = {"multilabel": list, "regression": float, "tagging": list, "classification": int}
    assert isinstance(found["label"], kinds.get(family, dict))
    if family in ("tagging", "choice"):
        refused = client.post(f"/v1/tasks/{task['id']}/predict", json={"inputs": [asked], "explain": 1})
        assert flaw(refused, 422)[0] == "explain"


def test_rows_of_many_tasks_keep_their_order(client: httpx.Client):
    first, second = made(client), made(client, examples=KINDS["classification"][0])
    rows = [{"task": task["id"], "text": text} for text in ("one", "My bill") for task in (first, second)]
    found = client.post("/v1/predict", json={"rows": rows}).json()["predictions"]
    assert [one["task"] for one in found] == [first["id"], second["id"]] * 2
    assert {type(one["label"]) for one in found[::2]} == {str}
    assert {type(one["label"]) for one in found[1::2]} == {int}
    rows[2]["task"] = "task_" + "0" * 32
    assert flaw(client.post("/v1/predict", json={"rows": rows}), 404)[0] == "rows.2.task"


def test_embeddings_are_those_of_the_model(client: httpx.Client, model: Model):
    body = client.post("/v1/embed", json={"inputs": ["a fee", "a crash"]}).json()
    assert body["width"] == len(body["embeddings"][0])
    assert body["embeddings"] == [pytest.approx(row, abs=1e-5) for row in model.embed(["a fee", "a crash"]).tolist()]


def test_who_does_not_wait_gets_a_job_and_follows_it(client: httpx.Client):
    response = client.post("/v1/tasks", json=TASK | {"wait": 0})
    assert response.status_code == 202
    job = response.json()
    assert response.headers["location"] == f"/v1/jobs/{job['id']}"
    with client.stream("GET", f"/v1/jobs/{job['id']}/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        states = [json.loads(line[6:])["state"] for line in events.iter_lines() if line.startswith("data: ")]
    assert states[-1] == "done"
    assert client.get(f"/v1/jobs/{job['id']}").json()["version"] == 1
    assert client.get(f"/v1/tasks/{job['task']}").json()["state"] == "ready"
    assert [one["id"] for one in client.get("/v1/jobs").json()["jobs"]] == [job["id"]]


def test_what_is_sent_again_under_its_key_begins_nothing(client: httpx.Client):
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first, again = (client.post("/v1/tasks", json=TASK, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert len(client.get("/v1/tasks").json()["tasks"]) == 1
    other = client.post("/v1/tasks", json=TASK | {"name": "other"}, headers=key)
    assert flaw(other, 422)[0] == "Idempotency-Key"
    path = f"/v1/tasks/{first.json()['id']}"
    more = {"examples": EXAMPLES[:1]}
    key = {"Idempotency-Key": "more"}
    assert [client.post(f"{path}/examples", json=more, headers=key).json()["version"]["number"] for _ in "ab"] == [2, 2]
    client.delete(path)
    assert flaw(client.post(f"{path}/examples", json=more, headers=key), 404)[0] == "id"
    assert flaw(client.post("/v1/tasks", json=TASK, headers={"Idempotency-Key": "a b"}), 422)[0] == "Idempotency-Key"


def test_pages_go_on_where_the_last_ended(client: httpx.Client):
    ids = [made(client, name=f"task {number}")["id"] for number in range(3)]
    first = client.get("/v1/tasks", params={"limit": 2}).json()
    second = client.get("/v1/tasks", params={"limit": 2, "after": first["next"]}).json()
    assert [one["id"] for one in first["tasks"] + second["tasks"]] == ids
    assert second["next"] is None
    for after in ("task_" + "0" * 32, "../x", "\0"):
        assert flaw(client.get("/v1/tasks", params={"after": after}), 404)[1] == "there is no such task"
