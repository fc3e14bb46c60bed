"""Asynchronous training: without staleness it is the synchronous run; with it each episode counts once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

import pytest
import torch

from metaglot.errors import MetaglotError
from metaglot.training import initial_state, train
from metaglot.training.asynchronous import Found, Parts, Work, find, train_asynchronously
from metaglot.training.checkpoint import load, save


@dataclass
class Shuffled:
    """Workers of this process that answer in an order of their own; one in ten gradients is lost."""

    parts: Parts
    workers: int
    random: Random
    losses: float = 0.1
    given: list[Work] = field(default_factory=list)
    used: list[tuple[int, ...]] = field(default_factory=list)

    def free(self) -> bool:
        return len(self.given) < self.workers

    def give(self, work: Work) -> None:
        self.given.append(work._replace(params={name: value.clone() for name, value in work.params.items()}))

    def wait(self) -> tuple[Sequence[Found], Sequence[int]]:
        work = self.given.pop(self.random.randrange(len(self.given)))
        if self.random.random() < self.losses:
            return [], [work.number]
        self.used.append(work.episodes)
        return [Found(work.number, *find(self.parts, work), cpu_seconds=1.0)], []


def crew(plan, workers, *, losses=0.1):
    return Shuffled((plan.train, plan.algorithm, plan.learner), workers, Random(3), losses)


def start(plan):
    return initial_state(plan.algorithm, plan.learner, plan.train.tasks, seed=plan.seed, freeze=plan.freeze)


def steps_of(plan, state, workers, staleness):
    rest = plan.train, plan.algorithm, plan.learner, plan.optimisation
    return train_asynchronously(state, *rest, combine=plan.combine, crew=workers, staleness=staleness)


def numbers(record):
    return {name: value for name, value in record.items() if "seconds" not in name and name != "staleness"}


@pytest.mark.parametrize("name", ["protonet", "sequential-reptile"])
@pytest.mark.parametrize("balance", [False, True])
def test_without_staleness_it_is_the_synchronous_run_to_the_bit(make_plan, name, balance):
    if name == "sequential-reptile" and balance:
        pytest.skip("one gradient for all episodes is not weighed")
    plan = make_plan(name, steps=4, optimisation={"balance": balance})
    rest = plan.train, plan.algorithm, plan.learner, plan.optimisation
    one = list(train(start(plan), *rest))
    many = list(steps_of(plan, start(plan), crew(plan, 3), 0))
    assert [record["staleness"] for _, record in many] == [0] * 4
    assert [numbers(record) for _, record in many] == [numbers(record) for _, record in one]
    (alone, _), (state, _) = one[-1], many[-1]
    for part in ("params", "moments"):
        before, after = getattr(alone, part), getattr(state, part)
        assert all(torch.equal(value, after[key]) for key, value in before.items())


def test_each_episode_counts_once_and_none_is_too_old_across_a_stop(make_plan, tmp_path):
    plan = make_plan("protonet", steps=9)
    first = crew(plan, 4)
    ages = []
    for state, record in steps_of(plan, start(plan), first, 2):
        ages.append(record["staleness"])
        if state.step == 5:
            break
    assert state.pending  # asked for and not used: at work, or there too early
    used = [n for n in range(10 + len(state.pending)) if n not in state.pending]
    assert len(used) == 10
    saved = load(save(state, tmp_path), device=torch.device("cpu"))
    assert saved.pending == state.pending
    second = crew(plan, 4)
    rest = list(steps_of(plan, saved, second, 2))
    ages += [record["staleness"] for _, record in rest]
    state, _ = rest[-1]
    assert state.step == 9
    assert state.pending == ()
    assert sorted(used + [n for episodes in second.used for n in episodes]) == list(range(18))
    assert max(ages) <= 2
    assert sum(ages) > 0


def test_the_synchronous_loop_refuses_what_an_asynchronous_run_left_open(make_plan):
    plan = make_plan(steps=2)
    state = replace(start(plan), pending=(3,))
    with pytest.raises(MetaglotError, match="1 gradients that no step has used; go on with --on ray"):
        next(train(state, plan.train, plan.algorithm, plan.learner, plan.optimisation))


def test_what_workers_spend_is_counted(make_plan):
    plan = make_plan(steps=1)
    ((_, record),) = steps_of(plan, start(plan), crew(plan, 2, losses=0), 1)
    assert record["workers_cpu_seconds"] == 2
    assert record["cpu_seconds"] >= 2
