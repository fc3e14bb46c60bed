"""Units: each knows its owner, and a unit of two classes counts in each or is refused."""

from functools import partial

import pytest
import torch
from tests.contract.tagging import TAGS, tagging_episode

from metaglot.errors import MetaglotError
from metaglot.families.tagging import Tagging
from metaglot.models.heads import class_means, svm
from metaglot.types import Problem

VOCAB = 48


@pytest.fixture(scope="module")
def problem(bert) -> Problem:
    return Problem(bert, Tagging(), TAGS)


def test_a_unit_knows_its_owner(problem):
    episode = tagging_episode(vocab=VOCAB)
    units = problem.units({}, episode.support)
    tags = episode.support["tags"]
    assert units.features.shape[0] == units.targets.shape[0] == problem.objective.judged(episode.support)
    counts = torch.bincount(units.owner, minlength=len(tags))
    assert counts.tolist() == (tags != -100).sum(1).tolist()


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
