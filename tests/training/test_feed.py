"""Episodes drawn ahead are those that would have been drawn, and samplers that learn are asked at the right time."""

import threading
from dataclasses import replace

import pytest
import torch

from metaglot.errors import MetaglotError
from metaglot.seeds import fold
from metaglot.training import initial_state, train
from metaglot.training.feed import feed
from metaglot.training.state import State


class Told:
    """A distribution that notes what it is asked, in which thread, and whose snapshot counts steps if it learns."""

    def __init__(self, inner, *, learns=False):
        self.inner, self.learns = inner, learns
        self.asked, self.threads = [], []

    @property
    def tasks(self):
        return self.inner.tasks

    def __call__(self, seed, n, snapshot):
        self.asked.append((n, float(snapshot.get("met", torch.tensor(-1.0)))))
        self.threads.append(threading.current_thread().name)
        return self.inner(seed, n, {})

    def update(self, snapshot, records):
        if not self.learns:
            return snapshot
        return {"met": snapshot.get("met", torch.tensor(0.0)) + len(records)}


class Reads(Told):
    """One that reads the model every second step."""

    every = 2

    def refresh(self, snapshot, learner, params, *, step):
        total = sum(float(value.double().sum()) for value in params.values())
        return {"met": torch.tensor(float(step)), "total": torch.tensor(total, dtype=torch.float64)}


def begin(plan) -> State:
    return initial_state(plan.algorithm, plan.learner, plan.train.tasks, seed=plan.seed)


def trained(plan, distribution, state=None):
    state = state or begin(plan)
    found = []
    for after, record in train(state, distribution, plan.algorithm, plan.learner, plan.optimisation):
        found.append((after, record))
    return found


def test_drawn_ahead_they_are_the_same(make_plan):
    plan = make_plan(steps=4)
    with feed(plan.train, 3, 2) as source:
        met = [episode for number in range(3) for episode in source.step(number, {})[0]]
    alone = [plan.train(3, n, {}) for n in range(6)]
    for ahead, drawn in zip(met, alone, strict=True):
        assert ahead.rows == drawn.rows
        assert torch.equal(ahead.support["input_ids"], drawn.support["input_ids"])


def test_the_next_step_is_drawn_by_another_thread_while_this_one_is_learnt_from(make_plan):
    plan = make_plan(steps=4)
    told = Told(plan.train)
    records = [record for _, record in trained(plan, told)]
    assert told.threads[:2] == ["MainThread"] * 2
    assert set(told.threads[2:]) == {"episodes_0"}
    assert sorted(n for n, _ in told.asked)[:8] == list(range(8))
    assert all(0 <= record["waited_seconds"] <= record["seconds"] for record in records)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("episodes")]


def test_a_sampler_that_learns_sees_each_of_its_snapshots(make_plan):
    plan = make_plan(steps=5)
    told = Told(plan.train, learns=True)
    *_, (last, _) = trained(plan, told)
    asked = {}
    for n, met in told.asked:
        asked[n] = met  # what was asked last counts: before it stands what was drawn ahead in vain
    assert asked[0] == asked[1] == -1
    assert [asked[2 * step] for step in range(1, 5)] == [2.0, 4.0, 6.0, 8.0]
    assert len(told.asked) <= 12  # once it is known to learn, nothing is drawn ahead
    assert float(last.snapshot["met"]) == 10


def test_tokens_are_counted(make_plan):
    plan = make_plan(steps=1)
    ((_, record),) = trained(plan, plan.train)
    drawn = [plan.train(fold(plan.seed, "train"), n, {}) for n in range(2)]
    expected = sum(int(b["attention_mask"].sum()) for e in drawn for b in (e.support, e.query))
    assert record["tokens"] == expected > 0


def test_an_error_in_the_thread_is_told_and_the_thread_ends(make_plan):
    plan = make_plan(steps=4)

    class Broken(Told):
        def __call__(self, seed, n, snapshot):
            if n == 3:
                raise MetaglotError("no more")
            return super().__call__(seed, n, snapshot)

    with pytest.raises(MetaglotError, match="no more"):
        trained(plan, Broken(plan.train))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("episodes")]


def test_one_that_reads_the_model_is_refreshed_and_goes_on_alike(make_plan):
    plan = make_plan(steps=4, optimisation={"schedule": "constant"})
    kept = {}
    for after, _ in train(begin(plan), Reads(plan.train), plan.algorithm, plan.learner, plan.optimisation):
        copied = {name: value.clone() for name, value in after.params.items()}
        kept[after.step] = replace(after, params=copied, moments={n: v.clone() for n, v in after.moments.items()})
    totals = [float(kept[step].snapshot["total"]) for step in (1, 2, 3, 4)]
    assert totals[0] == totals[1] != totals[2] == totals[3]
    assert [float(kept[step].snapshot["met"]) for step in (1, 2, 3, 4)] == [0, 0, 2, 2]
    again = trained(plan, Reads(plan.train), kept[2])[-1][0]
    assert all(torch.equal(value, again.params[name]) for name, value in kept[4].params.items())
    assert torch.equal(again.snapshot["total"], kept[4].snapshot["total"])
