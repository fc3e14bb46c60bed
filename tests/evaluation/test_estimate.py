"""What an evaluation costs, before it begins."""

import pytest

from metaglot.adaptation import load_model
from metaglot.evaluation import Plan, baselines, cells, ours
from metaglot.evaluation.baselines import SetFit, Tfidf
from metaglot.evaluation.estimate import Seconds, Work, estimate_seconds, seconds_of, work_of


@pytest.fixture(name="model", scope="module")
def _model(tiny):
    return load_model(tiny)


def test_pairs_of_setfit_grow_with_the_square(model):
    """Every unlike pair and as many alike: 16 shots of 20 classes are 97,280 pairs, 6,080 steps of 16."""
    work = work_of(SetFit(model.encoder, None), shot=16, classes=20, queries=300)
    assert work.trained == 2 * 97_280 * 2.0  # both texts, in fp32
    assert work.embedded == 320 + 300
    assert work_of(SetFit(model.encoder, None), shot=8, classes=6, queries=0).trained == 2 * 2 * 960 * 2.0


def test_work_of_the_others(model):
    methods = {m.name: m for m in (*ours(model, ["instant", "fast", "auto"]), *baselines(["finetune"], model))}
    work = {name: work_of(method, shot=8, classes=3, queries=100) for name, method in methods.items()}
    assert work["ours-instant"] == Work(24)
    assert work["ours-fast"] == Work(124, 6 * 16)
    assert work["finetune"] == Work(124, 20 * 24)
    assert work["ours-auto"].trained > work["ours-fast"].trained
    assert work_of(Tfidf(), shot=8, classes=3, queries=100) == Work(0)


def test_the_sum_is_over_the_cells_that_are_left(model, task):
    tasks, methods = [task("one"), task("two")], (*ours(model, ["instant"]), *baselines(["finetune"], model))
    plan = Plan((1, 8), 2, 20, 0)
    every = list(cells(["one", "two"], [m.name for m in methods], plan))
    seconds = {"one": Seconds(1.0, 10.0), "two": Seconds(2.0, 20.0)}
    found = estimate_seconds(every, tasks, methods, plan, seconds)
    assert found["ours-instant"] == 2 * (3 + 24) * (1.0 + 2.0)
    one, eight = (3 + 20) + 10 * 20 * 3, (24 + 20) + 10 * 20 * 24
    assert found["finetune"] == 2 * (one + eight) * (1.0 + 2.0)
    assert estimate_seconds(every[:1], tasks, methods, plan, seconds) == {"ours-instant": 3.0}


def test_times_are_measured(model, task):
    found = seconds_of(model.encoder, task("one"))
    assert 0 < found.embedding < 5
    assert 0 < found.training < 5
