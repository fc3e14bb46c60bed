"""What cannot be done is refused, with the field and the reason; limits are kept."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving.servers import EXAMPLES, TASK, flaw, made, running

from metaglot.adaptation import Model
from metaglot.serving.limits import Limits


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
    (TASK | {"examples": EXAMPLES[:2]}, 422, "examples"),  # one class alone
    (TASK | {"examples": [{"text": " ", "label": one} for one in "ab"]}, 422, "examples"),
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


@pytest.mark.parametrize("headers", [{"Content-Type": "text/plain"}, {}], ids=["plain", "none"])
def test_a_body_of_another_type_is_refused(client: httpx.Client, headers: dict[str, str]):
    """A page of another site can send text/plain, or a body of no type, without being asked."""
    flaw(client.post("/v1/tasks", content=json.dumps(TASK), headers=headers), 415)


def test_paths_that_are_none(client: httpx.Client):
    for path in ("/v1/tasks/../../etc/passwd", "/v1/tasks/%2e%2e%2fx", "/v1/tasks/task_x", "/v1/tasks/%00", "/v1/x"):
        assert client.get(path).status_code == 404
    assert client.put("/v1/tasks").status_code == 405


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
