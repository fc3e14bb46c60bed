"""Reptile's inner loop goes through a task in minibatches, in an order of its own for each episode."""

from dataclasses import replace

import pytest
import torch

from metaglot.algorithms.reptile import reptile
from metaglot.algorithms.why_not import why_not
from metaglot.choices import HEADS
from metaglot.families.batches import concatenate
from metaglot.families.classification import Classification
from metaglot.models import AllBut, Warp
from metaglot.seeds import fold
from metaglot.tasks import Shape, SupervisedTasks, sources_of
from metaglot.types import Problem


@pytest.fixture
def here(make_toy, make_bert):
    tasks = SupervisedTasks(sources_of(make_toy()), Classification(), Shape((3, 3), (2, 2), 2))
    episode = tasks(0, 0, {})
    learner = make_bert(dtype=torch.float64)
    return learner, tasks.tasks, Problem(learner, episode.objective, episode.task), episode


def gradient(algorithm, here, step):
    learner, infos, problem, episode = here
    meta = algorithm.init(learner, infos, seed=0)
    return meta, algorithm.meta_grad([problem], meta, [episode], step=step, seed=3).grads


@pytest.mark.parametrize("step", [0, 5])
def test_the_way_through_minibatches(here, step):
    _, _, problem, episode = here
    made = reptile(lr=0.1, steps=4, head=HEADS["prototypes"](), batch_size=5, dropout=False)
    meta, found = gradient(made, here, step)
    loop = replace(made.inner.loop, order=fold(3, "order", step, 0))
    data = concatenate(episode.support, episode.query)
    batches = list(loop.batches(data))
    assert [len(batch["labels"]) for batch in batches] == [4, 4, 4, 4]  # 12 texts in three of nearly equal size
    met = torch.cat([batch["input_ids"] for batch in batches[:3]])
    assert sorted(map(tuple, met.tolist())) == sorted(map(tuple, data["input_ids"].tolist())), "each once in a pass"
    start = made.inner.start(problem, meta, episode.support, seed=None)
    end = loop.run(problem, meta, start, data, seed=None, create_graph=False).params
    for name in start:
        if name in meta:
            assert torch.equal(found[name], meta[name] - end[name])


def test_episodes_have_orders_of_their_own_and_whole_batches_none(here):
    made = reptile(lr=0.1, steps=2, head=HEADS["prototypes"](), batch_size=5, dropout=False)
    (_, one), (_, two) = gradient(made, here, 0), gradient(made, here, 1)
    assert any(not torch.equal(one[name], two[name]) for name in one)
    whole = replace(made, batch_size=None)
    (_, one), (_, two) = gradient(whole, here, 0), gradient(whole, here, 1)
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("choice", ["generated", "latent", "ridge", "svm", "warp", "all-but"])
def test_what_it_would_never_teach_is_refused(choice):
    scopes = {"warp": Warp(), "all-but": AllBut(("embeddings",))}
    made = reptile(scope=scopes[choice]) if choice in scopes else reptile(head=HEADS[choice]())
    assert "teaches only what its inner loop moves" in str(why_not(made))
    assert why_not(reptile(head=HEADS["prototypes"]())) is None
