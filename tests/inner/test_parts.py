"""Parts that are summed equal the whole: chunks of a support set, episodes of plain text, episodes of a validation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
import torch
from tests.language import decoder, encoder, family_of, noise, passages, problem_of
from torch import Tensor

from metaglot.algorithms import GradientBased, build_algorithm
from metaglot.algorithms.hybrid import Hybrid
from metaglot.families.batches import concatenate, take
from metaglot.inner import Adjoint, FiniteProduct, Implicit, InnerLoop, Sgd, Unrolled, gradients
from metaglot.models import All
from metaglot.models.heads import Prototypes
from metaglot.tasks.weights import episode_weights
from metaglot.training import Optimisation
from metaglot.training.loop import train
from metaglot.training.state import State
from metaglot.training.validation import validate
from metaglot.types import Episode, Params, Problem, Record, Snapshot, TaskInfo

MAKES = {"masked-lm": encoder, "causal-lm": decoder}
ESTIMATORS = {
    "unrolled": Unrolled(),
    "adjoint": Adjoint(),
    "finite-differences": Adjoint(product=FiniteProduct(1e-4)),
    "implicit": Implicit(),
}


def distance(found: Params, truth: Params) -> float:
    """Return the relative distance over all tensors."""
    assert found.keys() == truth.keys()

    def norm(values: Sequence[Tensor]) -> float:
        return math.sqrt(sum(float(value.double().pow(2).sum()) for value in values))

    return norm([found[n] - truth[n] for n in truth]) / norm(list(truth.values()))


def uneven(kind: str) -> tuple[Problem, Episode]:
    """Return an episode whose texts have from one to eleven judged tokens."""
    learner = MAKES[kind]()
    episode = passages(learner, support=5, query=4)
    for batch in (episode.support, episode.query):
        for row, limit in enumerate((1, 11, 2, 6, 1)[: len(batch["labels"])]):
            places = (batch["labels"][row] != -100).nonzero().flatten()
            batch["labels"][row, places[limit:]] = -100
    return problem_of(learner, episode), episode


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("kind", ["classification", *MAKES])
def test_the_gradient_of_chunks_is_that_of_the_whole(problem, episode, kind, size):
    at, there = (problem, episode) if kind == "classification" else uneven(kind)
    counts = {at.objective.judged(take(there.support, torch.tensor([i]))) for i in range(4)}
    assert (len(counts) > 1) == (kind != "classification")
    body = noise(at.learner.body())
    head = Prototypes().start(at, body, there.support) if kind == "classification" else {}
    found = []
    for chunk in (None, size):
        params = {n: v.double().requires_grad_() for n, v in {**body, **head}.items()}
        loop = InnerLoop(Sgd(), 1, chunk=chunk)
        loss, grads = loop.gradient(at, {}, params, there.support, seed=None, create_graph=False)
        found.append((float(loss), grads))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-12)
    assert distance(found[1][1], found[0][1]) < 1e-12


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("kind", MAKES)
def test_the_meta_gradient_in_chunks_is_that_of_the_whole(kind, name):
    problem, episode = uneven(kind)
    proximal = 0.5 if name == "implicit" else 0.0
    whole = GradientBased(All(), Prototypes(), Sgd(lr=0.1), 2, ESTIMATORS[name], dropout=False, proximal=proximal)
    meta = noise(whole.init(problem.learner, [problem.task], seed=0))
    of = [a.meta_grad([problem], meta, [episode], step=0, seed=0).grads for a in (whole, replace(whole, chunk=2))]
    assert distance(of[1], of[0]) < (1e-6 if name == "finite-differences" else 1e-10)


def test_a_chunk_in_which_nothing_is_judged_counts_nothing():
    problem, episode = uneven("causal-lm")
    episode.support["labels"][:2] = -100
    rest = take(episode.support, torch.arange(2, 5))
    ends = [
        InnerLoop(Sgd(lr=0.1), 2, chunk=chunk).run(
            problem, {}, problem.learner.body(), support, seed=None, create_graph=False
        )
        for chunk, support in ((2, episode.support), (None, rest))
    ]
    assert distance(ends[0].params, ends[1].params) < 1e-12


def plain(kind: str) -> tuple[Problem, list[Episode], Episode]:
    """Return three unlike batches of plain text, and all of them as one."""
    learner = MAKES[kind]()
    parts = [passages(learner, support=0, query=n, seed=n) for n in (1, 3, 6)]
    query = concatenate(concatenate(parts[0].query, parts[1].query), parts[2].query)
    assert len({family_of(learner).judged(part.query) for part in parts}) == 3
    return problem_of(learner, parts[0]), parts, replace(parts[0], query=query)


@pytest.mark.parametrize("kind", MAKES)
def test_episodes_of_plain_text_are_parts_of_one_batch(kind):
    problem, parts, whole = plain(kind)
    hybrid = Hybrid(build_algorithm("fomaml"), dropout=False)
    meta = noise(hybrid.init(problem.learner, [problem.task], seed=0))
    found = hybrid.meta_grad([problem] * 3, meta, parts, step=0, seed=0).grads
    leaves = {n: v.clone().requires_grad_() for n, v in meta.items()}
    assert distance(found, gradients(problem.loss(leaves, whole.query), leaves)) < 1e-12


def test_tasks_count_the_same_and_plain_text_by_its_tokens(episode):
    _, parts, _ = plain("causal-lm")
    weights = episode_weights([episode, parts[0], episode, parts[2]])
    few, many = (part.objective.judged(part.query) for part in (parts[0], parts[2]))
    assert weights == pytest.approx([1, 2 * few / (few + many), 1, 2 * many / (few + many)])
    parts[0].query["labels"][:] = -100
    assert episode_weights([parts[0], episode]) == [1, 1]


@dataclass(frozen=True)
class Listed:
    """A distribution that gives the episodes of a list in turn."""

    episodes: tuple[Episode, ...]

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        return [episode.task for episode in self.episodes]

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        return self.episodes[n % len(self.episodes)]

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        return snapshot


def test_a_step_of_training_over_plain_text_is_one_over_the_whole_batch():
    problem, parts, whole = plain("causal-lm")
    hybrid = Hybrid(build_algorithm("fomaml"), dropout=False)
    ends = []
    for episodes in (tuple(parts), (whole,)):
        params = {n: v.clone() for n, v in noise(hybrid.init(problem.learner, [problem.task], seed=0)).items()}
        steps = train(
            State(step=0, params=params),
            Listed(episodes),
            hybrid,
            problem.learner,
            Optimisation(steps=1, meta_batch=len(episodes), clip=None),
        )
        ends.append(next(iter(steps)))
    (_, of_parts), (_, of_whole) = ends
    for name in ("grad_norm", "plain_loss", "plain_perplexity", "plain_accuracy"):
        assert of_parts[name] == pytest.approx(of_whole[name], rel=1e-6), name
    moments = [{n: v for n, v in state.moments.items() if n.startswith("exp_avg.")} for state, _ in ends]
    assert distance(moments[0], moments[1]) < 1e-6


def test_validation_weighs_episodes_of_text_by_their_tokens():
    problem, parts, whole = plain("masked-lm")
    hybrid = Hybrid(build_algorithm("fomaml"), dropout=False)
    meta = noise(hybrid.init(problem.learner, [problem.task], seed=0))
    found = validate(hybrid, problem.learner, meta, Listed(tuple(parts)), episodes=3)
    with torch.no_grad():
        expected = problem.objective.metrics(problem.logits(meta, whole.query), whole.query)
    for name in ("loss", "perplexity", "accuracy"):
        assert found[name] == pytest.approx(expected[name], rel=1e-9), name
