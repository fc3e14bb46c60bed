"""Streams whose labels slide, and histories in the order of their time; loops that meet a stream a part a step."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from metaglot.algorithms import GradientBased, build_algorithm
from metaglot.errors import MetaglotError
from metaglot.families.classification import Classification
from metaglot.inner import Adjoint, Implicit, InnerLoop, Sgd, Unrolled
from metaglot.models import All, Prototypes, Zeros
from metaglot.tasks import Source
from metaglot.tasks.drift import Histories, SlidingLabels
from metaglot.types import TaskInfo


@dataclass(frozen=True)
class Numbered:
    """Examples whose only token is their row."""

    name: str = "numbered"
    labels: tuple[str, ...] = ()
    table: None = None

    def rows(self, indices):
        return [{"input_ids": [int(i) + 1]} for i in indices]


INFO = TaskInfo("numbered", "numbered", tuple("abcdefg"), tuple(range(7)))
SOURCE = Source(INFO, Numbered(), tuple(np.arange(100 * c, 100 * c + 40) for c in range(7)))
TASKS = SlidingLabels(SOURCE, Classification(), ways=3, parts=8, shots=2, queries=5)


def test_a_label_is_one_class_at_first_and_another_at_the_end():
    shares = np.zeros(8)
    for n in range(200):
        episode = TASKS(1, n, {})
        labels = episode.support["labels"].numpy()
        classes = np.array(episode.rows["support"]) // 100
        last = np.array(episode.task.classes)
        assert len(labels) == 48
        assert np.bincount(labels[:6]).tolist() == [2, 2, 2], "each part has all labels"
        shares += (classes == last[labels]).reshape(8, 6).mean(1) / 200
        query = np.array(episode.rows["query"])
        assert (query // 100 == last[episode.query["labels"].numpy()]).all()
        everything = [*episode.rows["support"], *query]
        assert len(set(everything)) == len(everything), "no example comes twice"
        assert (episode.support["input_ids"][:, 0].numpy() == np.array(episode.rows["support"]) + 1).all()
    assert shares == pytest.approx(np.arange(8) / 8, abs=0.06)


def test_without_the_slide_a_label_is_one_class():
    for n in range(20):
        episode = replace(TASKS, slides=False)(1, n, {})
        classes = np.array(episode.rows["support"]) // 100
        assert (classes == np.array(episode.task.classes)[episode.support["labels"].numpy()]).all()


def test_episodes_are_a_function_of_their_number():
    assert TASKS(1, 3, {}).rows == TASKS(1, 3, {}).rows != TASKS(1, 4, {}).rows
    assert TASKS(2, 3, {}).rows != TASKS(1, 3, {}).rows


@pytest.mark.parametrize("wrong", [{"ways": 4}, {"parts": 18}, {"ways": 1}, {"queries": 0}])
def test_sources_and_shapes_that_do_not_do_are_refused(wrong):
    with pytest.raises(MetaglotError, match=r"drifting task needs|labels that slide need"):
        replace(TASKS, **wrong)(0, 0, {})


def test_a_history_is_learnt_from_before_and_judged_on_after():
    users = (np.array([5, 3, 9, 1, 7, 2]), np.array([11, 10]))
    tasks = Histories(Numbered(), Classification(), INFO, users, np.arange(20) % 2, support=3, query=2)
    seen = set()
    for n in range(40):
        episode = tasks(0, n, {})
        rows = [*episode.rows["support"], *episode.rows["query"]]
        at = users[0].tolist().index(rows[0])
        assert rows == users[0].tolist()[at : at + 5]
        assert episode.query["labels"].tolist() == [row % 2 for row in rows[3:]]
        seen.add(at)
    assert seen == {0, 1}
    with pytest.raises(MetaglotError, match="none of 2 histories has 30 support rows"):
        replace(tasks, support=30)(0, 0, {})


@pytest.mark.parametrize("steps", [1, 2, 3, 6])
def test_a_stream_meets_each_part_once_and_in_order(episode, steps):
    loop = InnerLoop(Sgd(), steps, stream=True)
    parts = [batch["input_ids"] for batch in loop.batches(episode.support)]
    assert len(parts) == steps
    assert torch.equal(torch.cat(parts), episode.support["input_ids"])
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    more = [batch["input_ids"] for batch in InnerLoop(Sgd(), 9, stream=True).batches(episode.support)]
    assert len(more) == 9
    assert min(map(len, more)) == 1, "with more steps than examples some come twice"


def test_exact_estimators_agree_on_a_stream_and_the_order_counts(bert, problem, episode):
    plain = GradientBased(All(), Prototypes(), Sgd(lr=0.1), 3, Unrolled(), dropout=False, stream=True)
    meta = {n: v.double() for n, v in plain.init(bert, [problem.task], seed=0).items()}

    def gradient(algorithm, at=episode):
        found = algorithm.meta_grad([problem], meta, [at], step=0, seed=0).grads
        return torch.cat([value.flatten() for value in found.values()])

    assert torch.allclose(gradient(replace(plain, estimator=Adjoint())), gradient(plain), rtol=1e-9, atol=1e-12)
    turned = replace(episode, support={name: value.flip(0) for name, value in episode.support.items()})
    assert not torch.allclose(gradient(plain, turned), gradient(plain), rtol=1e-3)
    whole = replace(plain, stream=False)
    assert torch.allclose(gradient(whole, turned), gradient(whole), rtol=1e-8, atol=1e-11)


def test_estimators_that_take_all_at_once_refuse_a_stream(bert):
    stream = GradientBased(All(), Zeros(), Sgd(), 3, Implicit(), proximal=1.0, stream=True)
    for algorithm in (stream, replace(build_algorithm("reptile"), stream=True)):
        with pytest.raises(MetaglotError, match="a stream has no order"):
            algorithm.init(bert, [], seed=0)
