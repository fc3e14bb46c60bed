"""Hybrid: an algorithm where there is a support set, the plain gradient where there is none."""

import pytest
import torch
from tests.language import decoder, encoder, noise, passages, problem_of

from metaglot.algorithms import build_algorithm
from metaglot.algorithms.hybrid import Hybrid
from metaglot.errors import MetaglotError
from metaglot.inner import gradients
from metaglot.types import Episode, Params, Problem

NAMES = ("fomaml", "maml", "reptile", "sequential-reptile", "joint", "protonet", "anil")


def world(learner, labelled: Episode) -> tuple[list[Problem], list[Episode]]:
    """Plain text, labels, plain text, labels."""
    plain = [passages(learner, support=0, query=n, seed=n) for n in (3, 5)]
    episodes = [plain[0], labelled, plain[1], labelled]
    return [Problem(learner, e.objective, e.task) for e in episodes], episodes


@pytest.mark.parametrize("dropout", [pytest.param(False, marks=pytest.mark.slow), True], ids=["plain", "dropout"])
@pytest.mark.parametrize(
    ("kind", "name"),
    [("bert", n) for n in NAMES]
    + [pytest.param("gpt2", n, marks=[] if n in {"fomaml", "protonet"} else pytest.mark.slow) for n in NAMES],
)
def test_the_gradient_is_the_mean_of_both_kinds(episode, name, kind, dropout):
    learner = decoder() if kind == "gpt2" else encoder("bert")
    problems, episodes = world(learner, episode)
    tasks = build_algorithm(name, {"dropout": dropout})
    hybrid = Hybrid(tasks, dropout=dropout)
    assert hybrid.together == tasks.together
    meta = hybrid.init(learner, [p.task for p in problems], seed=0)
    assert any(n.startswith("lm.") for n in meta) == (kind == "bert")
    found = hybrid.meta_grad(problems, meta, episodes, step=4, seed=1)
    taught = tasks.meta_grad(problems[1::2], meta, episodes[1::2], step=4, seed=1)
    alone = [hybrid.meta_grad([problems[i]], meta, [episodes[i]], step=4, seed=1) for i in (0, 2)]
    assert found.grads.keys() == meta.keys()
    tokens = [episodes[i].objective.judged(episodes[i].query) for i in (0, 2)]
    if not dropout:
        for n, value in found.grads.items():
            text = (tokens[0] * alone[0].grads[n] + tokens[1] * alone[1].grads[n]) / sum(tokens)
            expected = 0.5 * taught.grads[n] + 0.5 * text
            assert torch.allclose(value, expected, rtol=1e-9, atol=1e-12), n
            leaves = {m: v.clone().requires_grad_() for m, v in meta.items()}
        by_hand = gradients(problems[0].loss(leaves, episodes[0].query), leaves)
        assert all(torch.allclose(alone[0].grads[n], by_hand[n], rtol=1e-9, atol=1e-12) for n in meta)
    assert [r["task"] for r in found.records] == [e.task.name for e in episodes]
    assert [r.get("plain", 0) for r in found.records] == [1, 0, 1, 0]
    assert [r["family"] for r in found.records] == [e.objective.name for e in episodes]
    for i in (0, 2):
        record = found.records[i]
        assert record["perplexity"] == pytest.approx(torch.tensor(record["loss"]).exp())
    for mine, theirs in zip(found.records[1::2], taught.records, strict=True):
        assert {k: v for k, v in mine.items() if k != "family"} == theirs
    again = hybrid.meta_grad(problems, meta, episodes, step=4, seed=1)
    assert all(torch.equal(again.grads[n], found.grads[n]) for n in meta)
    other = hybrid.meta_grad(problems[:1], meta, episodes[:1], step=5, seed=1).grads
    assert all(torch.equal(other[n], alone[0].grads[n]) for n in meta) != dropout


def test_a_domain_with_a_support_set_goes_to_the_algorithm():
    learner = encoder("bert")
    domain = passages(learner)
    problem, tasks = problem_of(learner, domain), build_algorithm("fomaml", {"dropout": False})
    meta = noise(Hybrid(tasks).init(learner, [domain.task], seed=0))
    found, expected = (one.meta_grad([problem], meta, [domain], step=0, seed=0) for one in (Hybrid(tasks), tasks))
    assert all(torch.equal(found.grads[n], expected.grads[n]) for n in meta)
    assert found.records[0]["family"] == "masked-lm"
    assert "plain" not in found.records[0]


def test_no_support_set_changes_nothing(episode):
    learner = encoder("bert")
    plain = passages(learner, support=0)
    problem, tasks = problem_of(learner, plain), build_algorithm("fomaml")
    hybrid = Hybrid(tasks)
    meta = hybrid.init(learner, [plain.task, episode.task], seed=0)
    assert hybrid.adapt(problem, meta, {}, seed=0).params == {}
    labelling = Problem(learner, episode.objective, episode.task)
    a, b = (one.adapt(labelling, meta, episode.support, seed=3) for one in (hybrid, tasks))
    assert a.trace == b.trace
    assert all(torch.equal(a.params[n], b.params[n]) for n in b.params)


def test_a_task_with_labels_needs_a_support_set(episode):
    learner = encoder("bert")
    bare = Episode(episode.task, episode.objective, {}, episode.query)
    meta: Params = learner.body()
    with pytest.raises(MetaglotError, match="without a support set"):
        Hybrid(build_algorithm("fomaml")).meta_grad(
            [Problem(learner, bare.objective, bare.task)], meta, [bare], step=0, seed=0
        )


def test_nothing_given_is_changed(episode):
    learner = encoder("bert")
    problems, episodes = world(learner, episode)
    hybrid = Hybrid(build_algorithm("maml"))
    meta = hybrid.init(learner, [p.task for p in problems], seed=0)
    before = {n: v.clone() for n, v in meta.items()}
    torch.manual_seed(1)
    state = torch.get_rng_state()
    hybrid.meta_grad(problems, meta, episodes, step=0, seed=0)
    assert all(torch.equal(before[n], meta[n]) for n in meta)
    assert torch.equal(state, torch.get_rng_state())
    assert not any(v.requires_grad for v in meta.values())
