"""Algorithms know units, not texts: every one learns a task whose units are tokens, or says why it cannot.

An algorithm joins by being in `ALGORITHMS`.
"""

from functools import partial
from typing import Any

import pytest
import torch
from tests.contract.tagging import TAGS, Tagging, tagging_episode

from metaglot.algorithms import build_algorithm
from metaglot.choices import ALGORITHMS
from metaglot.errors import MetaglotError
from metaglot.models.heads import class_means, svm
from metaglot.types import Problem

VOCAB = 48
OPTIONS: dict[str, dict[str, Any]] = {
    "imaml": {"iterations": 2},
    "reml": {"steps": 2},
    "sequential-reptile": {"steps": 2},
}
LEAST = 0.45  # of the judged tokens right, of three tags that are as frequent


@pytest.fixture(scope="module")
def problem(bert) -> Problem:
    return Problem(bert, Tagging(), TAGS)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_algorithm_learns_tags(name, problem, bert):
    algorithm, episode = build_algorithm(name, OPTIONS.get(name)), tagging_episode(vocab=VOCAB)
    meta = algorithm.init(bert, (TAGS,), seed=0)
    found = algorithm.meta_grad([problem], meta, [episode], step=0, seed=0)
    assert all(bool(grad.isfinite().all()) for grad in found.grads.values())
    assert max(float(grad.abs().max()) for grad in found.grads.values()) > 0
    fast = algorithm.adapt(problem, meta, episode.support, seed=0)
    with torch.no_grad():
        logits = problem.logits({**meta, **fast.params}, episode.support)
    told = problem.objective.metrics(logits, episode.support)
    assert logits.shape == (*episode.support["labels"].shape, len(TAGS.labels))
    assert told["accuracy"] > LEAST, told


def test_a_unit_knows_its_owner(problem):
    episode = tagging_episode(vocab=VOCAB)
    units = problem.units({}, episode.support)
    labels = episode.support["labels"]
    assert units.features.shape[0] == units.targets.shape[0] == problem.objective.judged(episode.support)
    counts = torch.bincount(units.owner, minlength=len(labels))
    assert counts.tolist() == (labels != -100).sum(1).tolist()


def test_a_unit_of_two_classes_counts_in_each():
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [4.0, 4.0]])
    targets = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    assert class_means(features, targets).tolist() == [[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]]


def test_a_machine_refuses_units_of_two_classes():
    solve = partial(svm, torch.eye(3), c=torch.tensor(1.0))
    with pytest.raises(MetaglotError, match="exactly one class a unit"):
        solve(torch.tensor([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]]))
    with pytest.raises(MetaglotError, match="exactly one class a unit"):
        solve(torch.tensor([[0.5], [0.1], [1.0]]))
