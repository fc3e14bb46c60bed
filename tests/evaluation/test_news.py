"""benchmarks/news.py: nothing of its tasks is trained on; queries are balanced; the table adds up."""

import os
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from metaglot.data.draws import draws_of
from metaglot.evaluation import TaskSet

MONEY_OR_SPORT = re.compile(
    r"(?<!tran)sport|business|financ|money|stock|bank|currency|econom|exchange|credit", re.IGNORECASE
)
HERE = "METAGLOT_DATA" in os.environ


@pytest.fixture(scope="module")
def news(benchmark_called):
    return benchmark_called("news")


@pytest.mark.slow
@pytest.mark.skipif(not HERE, reason="METAGLOT_DATA is not set")
def test_no_class_and_no_text_of_its_tasks_is_trained_on(news):
    from metaglot.assembly import assemble
    from metaglot.config import load_recipe, packaged_recipes
    from metaglot.data.seen import find_seen, seen_of

    made = assemble(load_recipe(packaged_recipes()["news"], ["model.name=builtin:tiny"]))
    assert len(made.train) > 15
    for part in made.texts:
        labels = set(part.table.take(pa.array(part.rows))["label"].to_pylist())
        assert not [label for label in labels if MONEY_OR_SPORT.search(str(label))], part.name
    seen = seen_of(made.texts)
    file = Path(os.environ["METAGLOT_DATA"])
    for tasks in news.DOMAINS.values():
        for name, task in tasks.items():
            if (file / task.source).is_file():
                found = find_seen(seen, news.task_set(name, task).table.select(["text"]))
                assert not found.exact.any(), name
                assert found.near.mean() < 0.01, (name, int(found.near.sum()))  # headlines made after one pattern


def test_queries_are_as_many_of_each_class_and_never_examples(news):
    labels = ["a"] * 30 + ["b"] * 12 + ["c"] * 50
    table = pa.table({"text": [f"text {i}" for i in range(92)], "label": labels, "row": range(92)})
    task = TaskSet("made-up", table, draws_of(table))
    support = set(map(int, task.draws.support(4, 0)))
    rows = news.balanced(task, 18, 7)
    assert not support & set(rows)
    assert [[labels[i] for i in rows].count(one) for one in "abc"] == [6, 6, 6]
    assert rows == news.balanced(task, 18, 7)
    assert rows != news.balanced(task, 18, 8)
    assert len(news.balanced(task, 300, 7)) == 3 * 6, "half of the smallest class, the other half is for examples"


def test_the_table_has_means_over_tasks_and_paired_gains(news):
    rng = np.random.default_rng(0)
    rows = []
    for domain, tasks in news.DOMAINS.items():
        for task in tasks:
            for draw in range(3):
                base = float(rng.uniform(0.5, 0.7))
                for arm, more in (("ours", 0.1), ("theirs", 0.0)):
                    row = {"arm": arm, "domain": domain, "task": task, "shot": 4, "draw": draw, "accuracy": base + more}
                    rows.append(row | {"precision": base, "recall": base})
    said = news.table(rows, ["ours", "theirs"], list(news.DOMAINS))
    assert "| theirs | +10.0 [+10.0, +10.0] | +10.0 [+10.0, +10.0] |" in said
    assert said.count("| sports | 4 |") == 1
