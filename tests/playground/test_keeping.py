"""What was learnt on the page becomes a task of the server, with its examples, for every kind of task."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="the extra `serve` is not installed")
from tests.serving.servers import flaw, running
from tests.serving.test_api import KINDS

import metaglot as mg
from metaglot.errors import MetaglotError
from metaglot.playground.keeping import keep
from metaglot.serving.examples import given, named, numbered
from metaglot.serving.forms.texts import Example
from metaglot.serving.limits import Limits


def adapted(model: mg.Model, family: str, rows: list[dict[str, Any]]) -> mg.Adapted:
    examples = [Example.model_validate(row) for row in rows]
    texts, pairs = given(examples, named(family), numbered("examples", len(examples)))
    labels = [one.label for one in examples]
    return model.adapt(texts, labels, pairs=pairs, task=family, effort="instant")  # pyright: ignore[reportArgumentType]


def test_a_work_becomes_a_task_with_its_examples(tiny: str, tmp_path: Path):
    model = mg.load(tiny)
    with running(model, tmp_path / "store", limits=Limits(tasks=len(KINDS))) as server:
        client, other = server.client("ann"), server.client("bob")
        for family, (rows, asked) in KINDS.items():
            task = keep(server.context, "ann", adapted(model, family, rows), 0.5)
            path = f"/v1/tasks/{task}"
            assert client.get(path).json()["family"] == family
            assert len(client.get(f"{path}/examples").json()["examples"]) == len(rows)
            assert client.post(f"{path}/predict", json={"inputs": [asked]}).status_code == 200
            assert client.post(f"{path}/examples", json={"examples": rows}).json()["version"]["number"] == 2
            assert flaw(other.get(path), 404)[0] == "id"
        with pytest.raises(MetaglotError, match="tasks, which is the most"):
            keep(server.context, "ann", adapted(model, "classification", KINDS["classification"][0]), 0.5)
