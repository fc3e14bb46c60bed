"""Bodies that nobody thought of, by the OpenAPI page and from bent examples: no 5xx, and each 4xx says why."""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serving.servers import TASK, Server, running

from metaglot.adaptation import Model
from metaglot.serving.limits import Limits

CASES = int(os.environ.get("METAGLOT_FUZZ", "12"))  # of each operation; 800 make 12,000 requests
FEW = Limits(waiting_jobs=10**6, all_waiting_jobs=10**6, requests_per_second=10**6, burst=10**6, tasks=10**6)
QUICK = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}


@pytest.fixture(scope="module")
def fuzzed(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(model, tmp_path_factory.mktemp("fuzzed") / "store", limits=FEW) as own:
        yield own


def check(response: Any, seen: Counter[int]) -> None:
    seen[response.status_code] += 1
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        assert "application/problem+json" in response.headers["content-type"], response.text  # a list, or a text
        body = response.json()
        assert body["detail"]
        assert response.status_code == 405 or all(flaw["field"] and flaw["why"] for flaw in body["errors"])
        assert body["errors"] or response.status_code in (404, 405)


@pytest.mark.slow
def test_no_request_that_the_page_allows_is_a_fault_of_the_server(fuzzed: Server):
    schemathesis = pytest.importorskip("schemathesis")
    schema = schemathesis.openapi.from_url(f"{fuzzed.url}/openapi.json")
    client, seen = fuzzed.client("fuzz", headers={"Content-Type": "application/json"}), Counter[int]()
    task = client.post("/v1/tasks", json=TASK).json()["id"]
    job = client.get("/v1/jobs").json()["jobs"][0]["id"]
    own, operations = {"task_id": task, "job_id": job}, 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path == "/metrics" or operation.method.upper() == "DELETE":
            continue
        operations += 1

        @settings(max_examples=CASES, **QUICK)
        @given(case=operation.as_strategy(), real=st.booleans())
        def ask(case: Any, real: bool) -> None:
            if real and case.path_parameters:
                case.path_parameters.update({name: own[name] for name in case.path_parameters})
            if isinstance(case.body, dict) and "wait" in case.body:
                case.body["wait"] = 0
            check(case.call(headers={"Authorization": client.headers["authorization"]}), seen)

        ask()
    print(f"{sum(seen.values())} requests of {operations} operations: {dict(sorted(seen.items()))}")
    assert operations >= 12
    assert seen[422] > 20


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["abc", "start", "end", "label", "text"]), inner, max_size=3)
    ),
    max_leaves=6,
)
ROWS = st.fixed_dictionaries(
    {"text": st.text(max_size=20) | VALUES, "label": VALUES},
    optional={"pair": st.text(max_size=9) | st.none(), "candidates": st.lists(st.text(max_size=9), max_size=3)},
)
BODIES = st.fixed_dictionaries(
    {
        "name": st.just("x") | VALUES,
        "examples": st.lists(ROWS, max_size=5),
        "wait": st.just(0),
        "effort": st.just("instant"),
    },
    optional={
        "family": st.sampled_from(["multilabel", "regression", "ordinal", "tagging", "choice", "question-answering"])
    },
)


def test_bent_bodies_are_refused_with_a_reason_or_learnt(fuzzed: Server):
    client, seen = fuzzed.client("bent"), Counter[int]()
    task = client.post("/v1/tasks", json=TASK).json()["id"]
    paths = st.sampled_from(["/v1/tasks", f"/v1/tasks/{task}/examples"])

    @settings(max_examples=4 * CASES, **QUICK)
    @given(path=paths, body=BODIES | VALUES)
    def ask(path: str, body: Any) -> None:
        if path != "/v1/tasks" and isinstance(body, dict):
            body = {name: value for name, value in body.items() if name in ("examples", "wait")}
        check(client.post(path, content=httpx.Request("POST", "http://x", json=body).content, headers=JSON), seen)

    ask()
    print(f"{sum(seen.values())} bent bodies: {dict(sorted(seen.items()))}")
    assert seen[422] > 20


JSON = {"Content-Type": "application/json"}
