"""A run whose validation tasks are judged by a metric of which less is better: its goal, its words, its curve."""

import json
from dataclasses import dataclass, replace
from statistics import stdev

import pytest

from metaglot.cli.shared.live import held_out_note
from metaglot.errors import MetaglotError
from metaglot.families.classification import Classification
from metaglot.families.language.judging import TOKENS
from metaglot.metric import ACCURACY, LOSS, error_metric, metrics_by_name
from metaglot.report import curve_chart, gather
from metaglot.report.charts import validation_chart
from metaglot.report.headline import run_headline
from metaglot.report.numbers import numbers
from metaglot.report.sections import sections
from metaglot.training import Goal, run, validate
from metaglot.training.run import read_metrics

MAE = error_metric("mae", "MAE", "stars")


@dataclass(frozen=True)
class ByLoss(Classification):
    """Classification whose primary metric is its loss."""

    @property
    def measures(self):
        return (LOSS, ACCURACY)


def by_loss(plan):
    return replace(plan, validation=replace(plan.validation, objective=ByLoss()), metric=LOSS)


def test_the_interval_is_of_the_primary_metric(make_plan):
    plan = make_plan()
    meta = {**plan.learner.body(), **plan.algorithm.init(plan.learner, plan.train.tasks, seed=0)}
    of = {}
    for one in (plan, by_loss(plan)):
        each = [validate(plan.algorithm, plan.learner, meta, Nth(one.validation, n), episodes=1) for n in range(4)]
        found = validate(plan.algorithm, plan.learner, meta, one.validation, episodes=4)
        name = one.metric.name
        of[name] = found["ci95"]
        assert found["ci95"] == pytest.approx(1.96 * stdev(record[name] for record in each) / 2)
    assert of["loss"] != of["accuracy"]


@dataclass(frozen=True)
class Nth:
    """The episode with one number."""

    validation: object
    number: int

    def __call__(self, seed, n, snapshot):
        return self.validation(seed, self.number, snapshot)


@dataclass(frozen=True)
class Mixed:
    """Episodes of two kinds in turn."""

    parts: tuple

    def __call__(self, seed, n, snapshot):
        return self.parts[n % 2](seed, n, snapshot)


def test_no_mean_over_unlike_validation_tasks(make_plan):
    plan = make_plan()
    mixed = Mixed((plan.validation, by_loss(plan).validation))
    with pytest.raises(MetaglotError, match="accuracy in % and by loss in nats, and no mean"):
        validate(plan.algorithm, plan.learner, {**plan.learner.body()}, mixed, episodes=2)


@pytest.mark.parametrize(("most", "reason", "step"), [(100.0, "goal", 0), (1e-9, "budget", 2)])
def test_a_goal_of_which_less_is_better(make_plan, tmp_path, most, reason, step):
    plan = by_loss(make_plan(steps=2, goal=Goal(LOSS, most)))
    events = list(run(plan, tmp_path))
    assert (events[-1].reason, events[-1].state.step) == (reason, step)
    assert not Goal(LOSS, 100.0).met({"accuracy": 1.0}), "a score that is not there meets no goal"


def test_what_is_said_and_drawn_of_a_run(tmp_path):
    lines = [
        {"kind": "validation", "step": s, "mae": 1.0 - s / 100, "accuracy": 0.5, "ci95": 0.02} for s in (0, 10, 20)
    ]
    lines += [{"kind": "step", "step": 20, "loss": 0.5}]
    for name, measures in (("plain", None), ("rated", [MAE.to_json(), LOSS.to_json()])):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        described = {"base": "x", "max_length": 16} | ({} if measures is None else {"measures": measures})
        (folder / "model.json").write_text(json.dumps(described))
    material = gather([tmp_path / "plain", tmp_path / "rated"])
    assert material.primary_metrics == {"plain": ACCURACY, "rated": MAE}
    said, parts = sections(material)
    assert said == numbers(material)["headline"] == run_headline(material.curves, material.primary_metrics)
    assert "plain took 20 steps; accuracy on its validation tasks went from 50.0 % to 50.0 %." in said
    assert "rated took 20 steps; MAE on its validation tasks went from 1.000 stars to 0.800 stars." in said
    accuracy, mae, loss = parts[0].charts
    assert "Accuracy on validation tasks, %" in accuracy
    assert "MAE on validation tasks, stars (less is better)" in mae
    assert "2 lines: plain, rated" in loss
    records = read_metrics(tmp_path / "rated" / "metrics.jsonl")
    assert "polygon" in mae, "with its interval"
    assert validation_chart({"rated": records}, MAE) == mae
    assert validation_chart({"": records}, ACCURACY) == curve_chart(records)
    assert held_out_note(records[0], [MAE]) == "held-out MAE 1.000 stars"
    assert held_out_note(records[0], [ACCURACY]) == "held-out accuracy 50.0 %"
    assert held_out_note(records[0], [MAE, ACCURACY]) == "held-out MAE 1.000 stars, held-out accuracy 50.0 %"
    damaged = tmp_path / "rated" / "model.json"
    damaged.write_text(damaged.read_text().replace('"lower"', '"less"'))
    with pytest.raises(MetaglotError, match=r"model\.json.*measures.*higher"):
        gather([tmp_path / "rated"])


def test_tokens_are_judged_by_their_loss():
    assert [metric.better for metric in TOKENS] == ["lower", "lower", "higher"]
    assert list(metrics_by_name(TOKENS)) == ["loss", "perplexity", "accuracy"]
