"""Each route, the whole way: what goes in, what comes back, and what is said where it cannot be done."""

import json
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving.servers import EXAMPLES, TASK, Server, running

from metaglot.adaptation import Model
from metaglot.errors import MetaglotError
from metaglot.serving.limits import Limits, limits_of
from metaglot.serving.store import tokens


@pytest.fixture
def client(server: Server, request: pytest.FixtureRequest) -> httpx.Client:
    return server.client(f"t{abs(hash(request.node.nodeid)):x}")


def made(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    response = client.post("/v1/tasks", json=TASK | changes)
    assert response.status_code == 201, response.text
    return response.json()


def flaw(response: httpx.Response, status: int) -> tuple[str, str]:
    """The first field that an answer finds wrong, and why."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["request_id"]) == (status, response.headers["x-request-id"])
    assert body["detail"]
    return body["errors"][0]["field"], body["errors"][0]["why"]


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


def label(value: Any) -> dict[str, Any]:
    return TASK | {"examples": [*EXAMPLES, {"text": "x", "label": value}]}


WRONG: list[tuple[Any, int, str]] = [
    ({}, 422, "name"),
    (TASK | {"name": ""}, 422, "name"),
    (TASK | {"name": "a\nb"}, 422, "name"),
    (TASK | {"famly": "x"}, 422, "famly"),
    (TASK | {"family": "x"}, 422, "family"),
    (TASK | {"effort": "x"}, 422, "effort"),
    (TASK | {"seed": -1}, 422, "seed"),
    (TASK | {"wait": 1e9}, 422, "wait"),
    (TASK | {"examples": []}, 422, "examples"),
    (TASK | {"examples": EXAMPLES[:2]}, 422, "body"),  # one class alone
    (TASK | {"examples": [{"text": " ", "label": one} for one in "ab"]}, 422, "body"),
    (TASK | {"examples": [*EXAMPLES, {"text": "x"}]}, 422, "examples.4.label"),
    (TASK | {"examples": [*EXAMPLES, {"text": "a\0b", "label": "x"}]}, 422, "examples.4.text"),
    (TASK | {"examples": [*EXAMPLES, {"text": "x", "pair": "y", "label": "x"}]}, 422, "examples.0.pair"),
    (TASK | {"family": "choice"}, 422, "examples.0.candidates"),
    (TASK | {"effort": "as-trained"}, 422, "examples"),
    (label(None), 422, "examples.4.label"),
    (label(2**60), 422, "examples.4.label"),
    (label([[[[["x"]]]]]), 422, "examples.4.label"),
    (label({"a": 1}), 422, "examples.4.label"),
    (TASK | {"family": "regression"}, 422, "examples.0.label"),
    ([], 422, "body"),
    ("x", 422, "body"),
]


@pytest.mark.parametrize(("body", "status", "field"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_said_with_its_field(client: httpx.Client, body: Any, status: int, field: str):
    where, why = flaw(client.post("/v1/tasks", json=body), status)
    assert where == field
    assert "Refund my order" not in why


RAW = [
    (b'{"name": ', 400),
    (b"\xff\xfe", 400),
    (b"[" * 100_000, 400),
    (b'{"name": "a", "examples": [{"text": "\\ud800", "label": "x"}]}', 422),
    (b'{"name": "a", "examples": [{"text": "x", "label": NaN}, {"text": "y", "label": 1.5}]}', 422),
    (b'{"name": "a", "seed": ' + b"9" * 5000 + b"}", 400),
    (b"", 422),
]


@pytest.mark.parametrize(("body", "status"), RAW, ids=range(len(RAW)))
def test_bodies_that_are_no_json_are_refused(client: httpx.Client, body: bytes, status: int):
    flaw(client.post("/v1/tasks", content=body, headers={"Content-Type": "application/json"}), status)


def test_a_body_of_another_type_is_refused(client: httpx.Client):
    """A page of another site can send text/plain without being asked."""
    flaw(client.post("/v1/tasks", content=json.dumps(TASK), headers={"Content-Type": "text/plain"}), 422)


def test_paths_that_are_none(client: httpx.Client):
    for path in ("/v1/tasks/../../etc/passwd", "/v1/tasks/%2e%2e%2fx", "/v1/tasks/task_x", "/v1/tasks/%00", "/v1/x"):
        assert client.get(path).status_code == 404
    assert client.put("/v1/tasks").status_code == 405


def test_tenants_see_their_own_alone(server: Server):
    ours, theirs = server.client("ours"), server.client("theirs")
    task = made(ours)
    job = ours.get("/v1/jobs").json()["jobs"][0]["id"]
    path, absent = f"/v1/tasks/{task['id']}", "/v1/tasks/task_" + "0" * 32
    asks = [
        ("GET", "", None),
        ("DELETE", "", None),
        ("POST", "/predict", {"inputs": ["x"]}),
        ("POST", "/examples", {"examples": EXAMPLES}),
        ("GET", "/versions", None),
        ("GET", "/examples", None),
        ("POST", "/rollback", {"version": 1}),
    ]
    for method, rest, body in asks:
        found = [theirs.request(method, base + rest, json=body).json() for base in (path, absent)]
        for one in found:
            one.pop("request_id")
        assert found[0] == found[1]
        assert found[0]["status"] == 404
    assert flaw(theirs.get(f"/v1/jobs/{job}"), 404)[0] == "id"
    assert flaw(theirs.get(f"/v1/jobs/{job}/events"), 404)[0] == "id"
    assert flaw(theirs.get("/v1/tasks", params={"after": task["id"]}), 404)[0] == "after"
    rows = [{"task": task["id"], "text": "x"}]
    assert flaw(theirs.post("/v1/predict", json={"rows": rows}), 404)[0] == "rows.0.task"
    assert theirs.get("/v1/tasks").json()["tasks"] == theirs.get("/v1/jobs").json()["jobs"] == []
    key = {"Idempotency-Key": "same"}
    assert (
        ours.post("/v1/tasks", json=TASK, headers=key).json()["id"]
        != (theirs.post("/v1/tasks", json=TASK, headers=key).json()["id"])
    )
    assert ours.get(path).status_code == 200


def test_tokens_open_what_they_are_for(server: Server):
    server.client("someone")
    for headers in (
        {},
        {"Authorization": "Bearer mg_x"},
        {"Authorization": "Basic eA=="},
    ):
        response = server.client(headers=headers).get("/v1/tasks")
        assert flaw(response, 401)[0] == "Authorization"
        assert response.headers["www-authenticate"] == "Bearer"
    assert flaw(server.client("watch", scope=tokens.METRICS).get("/v1/tasks"), 403)[0] == "Authorization"
    assert flaw(server.client("acme").get("/metrics"), 403)[0] == "Authorization"
    page = server.client("watch", scope=tokens.METRICS).get("/metrics").text
    assert "metaglot_requests_total{" in page
    assert "acme" not in page
    client = server.client("leaver")
    assert client.get("/v1/tasks").status_code == 200
    with server.context.store.database.write() as session:
        tokens.revoke(session, next(one.id for one in tokens.listed(session) if one.tenant == "leaver"))
    assert flaw(client.get("/v1/tasks"), 401)


def test_health_is_open_and_says_little(server: Server):
    client = server.client()
    assert client.get("/healthz").json()["status"] == "ok"
    assert client.get("/readyz").json()["status"] == "ok"
    page = client.get("/openapi.json").json()
    assert {"/v1/tasks", "/v1/predict", "/v1/jobs/{job_id}/events"} <= set(page["paths"])
    assert client.get("/docs").status_code == 401
    assert "access-control-allow-origin" not in client.get("/healthz", headers={"Origin": "https://x.org"}).headers


def test_without_a_token_only_this_machine_is_served(model: Model, tmp_path: Path):
    with running(model, tmp_path / "store") as server:
        client = server.client()
        made(client)
        assert flaw(client.get("/v1/tasks", headers={"Host": "evil.example"}), 421)[0] == "Host"
        server.client("first")  # from now on each request needs a token
        assert flaw(client.get("/v1/tasks"), 401)
    with pytest.raises(MetaglotError, match="needs a token"), running(model, tmp_path / "other", local=False):
        pass


SMALL = Limits(
    body_bytes=3000,
    texts=3,
    characters=50,
    examples=6,
    classes=3,
    candidates=2,
    tasks=2,
    versions=1,
    burst=60,
    requests_per_second=1,
)


def test_limits_are_kept_and_said(model: Model, tmp_path: Path):
    with running(model, tmp_path / "store", limits=SMALL) as server:
        client = server.client("acme")
        long, many = "x" * 51, [{"text": f"t{n}", "label": "ab"[n % 2]} for n in range(7)]
        assert flaw(client.post("/v1/tasks", json=TASK | {"examples": many}), 422)[0] == "examples"
        classes = [{"text": f"t{n}", "label": str(n)} for n in range(4)]
        assert "4 labels" in flaw(client.post("/v1/tasks", json=TASK | {"examples": classes}), 422)[1]
        body = TASK | {"examples": [*EXAMPLES, {"text": long, "label": "x"}]}
        assert flaw(client.post("/v1/tasks", json=body), 422)[0] == "examples.4.text"
        task = made(client)
        path = f"/v1/tasks/{task['id']}"
        assert flaw(client.post(f"{path}/predict", json={"inputs": ["x"] * 4}), 422)[0] == "inputs"
        assert flaw(client.post(f"{path}/predict", json={"inputs": ["x", long]}), 422)[0] == "inputs.1.text"
        more = [{"text": "y", "label": "billing"}] * 3
        assert "the task has 4" in flaw(client.post(f"{path}/examples", json={"examples": more}), 422)[1]
        one_more = {"examples": [{"text": "y", "label": "billing"}]}
        assert "1 versions" in flaw(client.post(f"{path}/examples", json=one_more), 422)[1]
        made(client)
        assert flaw(client.post("/v1/tasks", json=TASK), 422)[0] == "tasks"
        assert flaw(client.post("/v1/embed", content=b"x" * 3001), 413)[0] == "body"
        assert flaw(client.post("/v1/embed", content=iter([b"x" * 2000] * 2)), 413)[0] == "body"
        while (response := client.get("/healthz-not")).status_code == 404:
            pass
        assert response.status_code == 429
        assert int(response.headers["retry-after"]) >= 1
        assert server.client("other").get("/v1/tasks").status_code == 200


def test_limits_that_are_none_are_refused():
    assert limits_of(["texts=7"]) == Limits(texts=7)
    for change in ("text=7", "texts", "texts=0", "texts=-1", "texts=١", "texts=" + "9" * 30):
        with pytest.raises(MetaglotError, match="--limit"):
            limits_of([change])


@pytest.mark.parametrize("arguments", [("serve", "builtin:tiny"), ("serve", "run", "builtin:tiny")])
def test_the_command_says_what_is_wrong(metaglot, tmp_path: Path, arguments: tuple[str, ...]):
    said = metaglot(*arguments, "--limit", "x=1", "--store", tmp_path / "store")
    assert (said.code, said.err.splitlines()[0][:24]) == (2, "metaglot: --limit 'x=1':")
    said = metaglot(*arguments, "--worker", "x")
    assert (said.code, "use process or thread" in said.err) == (2, True)


def test_tokens_are_made_listed_and_revoked(metaglot, tmp_path: Path):
    store = ("--store", tmp_path / "store")
    secret = metaglot("serve", "token", "add", "acme", "--name", "shop", *store).out.strip()
    assert secret.startswith("mg_")
    (row,) = json.loads(metaglot("serve", "token", "list", "--json", *store).out)
    assert (row["tenant"], row["name"], row["revoked"]) == ("acme", "shop", None)
    assert secret not in metaglot("serve", "token", "list", *store).out
    assert metaglot("serve", "token", "revoke", row["id"], *store).code == 0
    assert "revoked" in metaglot("serve", "token", "list", *store).out
    assert metaglot("serve", "token", "revoke", "x", *store).code == 2
    assert metaglot("serve", "token", "add", "../x", *store).code == 2
