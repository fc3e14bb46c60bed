"""Tenants see their own alone, and tokens open what they are for."""

from pathlib import Path

import pytest
from tests.serving.servers import EXAMPLES, TASK, Server, flaw, made, running

from metaglot.adaptation import Model
from metaglot.errors import MetaglotError
from metaglot.serving.store import tokens


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
