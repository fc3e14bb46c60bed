"""Sixty outer steps on classes with words of their own improve the learner on classes it never met."""

from statistics import fmean

import pytest
import torch
from torch import Tensor

from metaglot.algorithms.anil import anil
from metaglot.algorithms.maml import fomaml
from metaglot.algorithms.protonet import protonet
from metaglot.algorithms.transfer import joint
from metaglot.families.classification import Classification
from metaglot.models import Prototypes
from metaglot.tasks import Shape, SupervisedTasks, sources_of, split_classes
from metaglot.types import Params, Problem

STEPS, META_BATCH, JUDGED = 60, 4, 30
ALGORITHMS = {
    "protonet": protonet(),
    "anil": anil(lr=5.0),
    "fomaml": fomaml(lr=0.01, head_lr=0.1, steps=2, head=Prototypes()),
    "joint": joint(steps=5),
}


def accuracy(algorithm, learner, meta: Params, tasks: SupervisedTasks) -> float:
    found = []
    for n in range(JUDGED):
        episode = tasks(1, n, {})
        problem = Problem(learner, episode.objective, episode.task)
        fast = algorithm.adapt(problem, meta, episode.support, seed=n)
        with torch.no_grad():
            logits = problem.logits({**meta, **fast.params}, episode.query)
        found.append(episode.objective.metrics(logits, episode.query)["accuracy"])
    return fmean(found)


def trained(algorithm, learner, tasks: SupervisedTasks) -> dict[str, Tensor]:
    meta = {n: v.clone() for n, v in algorithm.init(learner, tasks.tasks, seed=0).items()}
    optimiser = torch.optim.Adam(meta.values(), lr=1e-2)
    for step in range(STEPS):
        episodes = [tasks(0, META_BATCH * step + i, {}) for i in range(META_BATCH)]
        problems = [Problem(learner, e.objective, e.task) for e in episodes]
        for name, grad in algorithm.meta_grad(problems, meta, episodes, step=step, seed=0).grads.items():
            meta[name].grad = grad
        optimiser.step()
    return {name: value.detach() for name, value in meta.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ALGORITHMS)
def test_held_out_classes_get_easier(name, make_bert, make_toy):
    """Found: protonet 0.48 -> 0.76, anil 0.44 -> 0.79, fomaml 0.47 -> 0.76, joint 0.46 -> 0.79; chance is 0.2."""
    algorithm = ALGORITHMS[name]
    toy = make_toy(name="learning", classes=40, per_class=20, vocab=100, length=(6, 10), share=0.4)
    train, held_out = split_classes(sources_of(toy)[0], (0.8, 0.2), seed=0)
    assert not set(train.info.classes) & set(held_out.info.classes)
    learner = make_bert(dtype=torch.float32, vocab=100)
    family = Classification()
    met = SupervisedTasks((train,), family, Shape((5, 5), (1, 5), 3))
    unmet = SupervisedTasks((held_out,), family, Shape((5, 5), (5, 5), 5))
    start = algorithm.init(learner, met.tasks, seed=0)
    before = accuracy(algorithm, learner, start, unmet)
    after = accuracy(algorithm, learner, trained(algorithm, learner, met), unmet)
    print(f"{name}: {before:.3f} -> {after:.3f} on held-out classes")
    assert after >= before + 0.15
