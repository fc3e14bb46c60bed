"""Tasks of labels and of language over one learner: neither has use for the head of the other."""

from dataclasses import replace

import pytest
import torch
from tests.language import encoder, passages

from metaglot.algorithms import GradientBased
from metaglot.algorithms.joint import Joint
from metaglot.algorithms.sequential_reptile import sequential_reptile
from metaglot.families.batches import concatenate
from metaglot.inner import Adam, MetaSgd, Sgd, Unrolled, gradients
from metaglot.models import All, HeadOnly, Prototypes, Zeros
from metaglot.types import Problem

PLAIN = GradientBased(All(), Zeros(), Sgd(lr=0.1), 2, Unrolled(), dropout=False)
LABELLING = {"anil": replace(PLAIN, scope=HeadOnly()), "all": replace(PLAIN, head=Prototypes())}
LABELLING |= {"adam": replace(PLAIN, head=Prototypes(), rule=Adam(lr=0.01)), "meta-sgd": replace(PLAIN, rule=MetaSgd())}


@pytest.mark.parametrize("case", LABELLING)
def test_a_labelling_task_has_no_use_for_the_language_head(episode, case):
    algorithm, learner = LABELLING[case], encoder("bert")
    problem, language = Problem(learner, episode.objective, episode.task), passages(learner)
    with_head = {n: v.double() for n, v in algorithm.init(learner, [episode.task, language.task], seed=0).items()}
    own = {n for n in with_head if n.startswith(("lm.", "algorithm.rule.rate.lm."))}
    assert len(own) == (10 if case == "meta-sgd" else 5)
    without = {n: v for n, v in with_head.items() if n not in own}
    a, b = (algorithm.meta_grad([problem], meta, [episode], step=0, seed=0) for meta in (with_head, without))
    assert a.records == b.records
    assert all(torch.equal(a.grads[n], b.grads[n]) for n in without)
    assert not any(bool(a.grads[n].any()) for n in own)
    fast = algorithm.adapt(problem, with_head, episode.support, seed=0).params
    assert fast.keys() == algorithm.adapt(problem, without, episode.support, seed=0).params.keys()
    assert not any(n.startswith("lm.") for n in fast)
    assert algorithm.init(learner, [episode.task], seed=0).keys() == without.keys()


def test_sequential_reptile_goes_through_labels_and_language_in_turn(episode):
    learner = encoder("bert")
    language = passages(learner)
    problems = [Problem(learner, e.objective, e.task) for e in (episode, language)]
    algorithm = sequential_reptile(lr=0.1, steps=1, head=Zeros(), dropout=False)
    meta = algorithm.init(learner, [p.task for p in problems], seed=0)
    found = algorithm.meta_grad(problems, meta, [episode, language], step=0, seed=0)
    # With a head of zeros the first task moves its head alone; the second is a step of its own from the start.
    leaves = {n: v.clone().requires_grad_() for n, v in meta.items()}
    both = concatenate(language.support, language.query)
    expected = gradients(problems[1].loss(leaves, both), leaves)
    for n, value in found.grads.items():
        assert torch.allclose(value, 0.1 * expected[n], rtol=1e-9, atol=1e-12), n
    assert [record["task"] for record in found.records] == [episode.task.name, "domain-lm/one"]


def test_joint_training_reads_text_under_the_learners_own_head(episode):
    learner = encoder("bert")
    language = passages(learner)
    algorithm = Joint(dropout=False)
    problems = [Problem(learner, e.objective, e.task) for e in (episode, language)]
    meta = algorithm.init(learner, [p.task for p in problems], seed=0)
    assert {n for n in meta if n.startswith("heads.")} == {"heads.toy.weight", "heads.toy.bias"}
    found = algorithm.meta_grad(problems[1:], meta, [language], step=0, seed=0)
    leaves = {n: v.clone().requires_grad_() for n, v in meta.items()}
    expected = gradients(problems[1].loss(leaves, concatenate(language.support, language.query)), leaves)
    assert all(torch.allclose(found.grads[n], expected[n], rtol=1e-9, atol=1e-12) for n in meta)
    transfer = Joint(single_source=True).init(learner, [p.task for p in problems], seed=0)
    assert transfer.keys() == meta.keys()
