"""The LEOPARD layout, on the real files where they are; nothing of their text stands here."""

import os
from pathlib import Path

import pytest

from metaglot.evaluation import Plan, TaskSet, evaluate
from metaglot.evaluation.baselines import Tfidf

DATA = os.environ.get("METAGLOT_DATA", "")
pytestmark = pytest.mark.skipif(not DATA, reason="METAGLOT_DATA does not name the folder of the data sets")

CLASSES = {
    "airline": 3,
    "conll": 4,
    "political_audience": 2,
    "political_bias": 2,
    "rating_books": 3,
    "sentiment_books": 2,
    "sentiment_kitchen": 2,
}


@pytest.mark.slow
def test_leopard_tasks_have_ten_draws_and_tfidf_is_where_it_was_measured() -> None:
    tasks = [TaskSet.load(Path(DATA) / "leopard" / f"{name}.parquet") for name in CLASSES]
    for task in tasks:
        assert all(len(task.support(k, d).inputs.texts) == k * CLASSES[task.name] for k in (4, 8, 16) for d in (0, 9))
    chosen = [task for task in tasks if task.name in {"airline", "sentiment_kitchen"}]
    results = list(evaluate(chosen, [Tfidf()], Plan((4, 8, 16), 10, 200, 0)))
    assert len(results) == 2 * 3 * 10
    assert all(result.queries == 200 for result in results)
    # FIELD.md: word n-grams alone, the whole evaluation sets: airline 43/52/57, kitchen 60/61/66 at 4/8/16 shots.
    for task, expected in (("airline", (0.43, 0.52, 0.57)), ("sentiment_kitchen", (0.60, 0.61, 0.66))):
        for shot, mean in zip((4, 8, 16), expected, strict=True):
            found = [r.score for r in results if r.task == task and r.shot == shot]
            assert sum(found) / 10 == pytest.approx(mean, abs=0.07)


def test_a_shot_that_is_not_fixed_is_the_first_of_the_next_larger() -> None:
    task = TaskSet.load(Path(DATA) / "leopard" / "airline.parquet")
    larger, smaller = task.support(8, 0), task.support(5, 0)
    assert len(smaller.inputs.texts) == 15
    for label in set(larger.targets):
        first = [text for text, found in zip(larger.inputs.texts, larger.targets, strict=True) if found == label][:5]
        assert [
            text for text, found in zip(smaller.inputs.texts, smaller.targets, strict=True) if found == label
        ] == first
