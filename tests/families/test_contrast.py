"""The contrastive loss: against its formula term by term, and where nothing can be told."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from metaglot.families.classification import Classification
from metaglot.families.contrast import TEMPERATURE, WithContrast, apart
from metaglot.types import Outputs


def by_hand(features: list[list[float]], labels: list[int]) -> float:
    def near(i: int, j: int) -> float:
        a, b = features[i], features[j]
        return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b) / TEMPERATURE

    rows = range(len(labels))
    found = []
    for i in rows:
        mates = [j for j in rows if j != i and labels[j] == labels[i]]
        if mates:
            total = math.log(sum(math.exp(near(i, j)) for j in rows if j != i))
            found.append(-sum(near(i, j) - total for j in mates) / len(mates))
    return sum(found) / len(found) if found else 0.0


def outputs(features: torch.Tensor) -> Outputs:
    return Outputs(features[:, None], features, torch.ones(len(features), 1))


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 2], [0, 0, 0], [0, 1, 2], [1, 0, 1, 1]])
def test_the_loss_is_cross_entropy_and_the_formula(labels):
    draws = torch.Generator().manual_seed(len(labels))
    features = torch.randn(len(labels), 3, generator=draws, dtype=torch.float64)
    head = {
        "head.weight": torch.randn(3, 3, generator=draws, dtype=torch.float64),
        "head.bias": torch.zeros(3).double(),
    }
    objective, truth = WithContrast(Classification(), 0.7), torch.tensor(labels)
    logits = objective.logits(head, outputs(features), {})
    plain = cross_entropy(features @ head["head.weight"].T, truth)
    expected = float(plain) + 0.7 * by_hand(features.tolist(), labels)
    assert float(objective.loss(logits, {"labels": truth})) == pytest.approx(expected, rel=1e-9)
    assert objective.predict(logits).tolist() == (features @ head["head.weight"].T).argmax(1).tolist()


@pytest.mark.parametrize("labels", [[0], [0, 1, 2]])
def test_without_two_of_a_class_there_is_no_pull_and_the_gradient_is_whole(labels):
    near = torch.zeros(len(labels), len(labels), requires_grad=True)
    loss = apart(near, torch.tensor(labels)[:, None] == torch.tensor(labels))
    loss.backward()
    assert loss.item() == 0
    assert near.grad.abs().max() == 0
