"""The head in closed form: against scikit-learn, against itself without an example, and how far it is trusted."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import log_loss

from metaglot.adaptation.support import MOST_OFTEN, evened
from metaglot.families.heads.classes import (
    ABSENT,
    CONFIDENCE,
    ENOUGH,
    FITTED,
    FOLDS,
    FREEDOM,
    PENALTY,
    balance,
    blend,
    confidence,
    fitted,
    folds,
    held_out,
    layer,
    logistic,
    solver_of,
)
from metaglot.families.support_units import SupportUnits, support_units

WIDTH = 12
START = CONFIDENCE["ridge"]


def clouds(counts, *, seed: int = 0, spread: float = 0.6, names: bool = False) -> SupportUnits:
    """Return noisy features around a direction for each class."""
    draws = torch.Generator().manual_seed(seed)
    centres = torch.randn(len(counts), WIDTH, generator=draws)
    numbers = torch.tensor([c for c, count in enumerate(counts) for _ in range(count)])
    noise = spread * torch.randn(len(numbers), WIDTH, generator=draws)
    rows = support_units(centres[numbers] + noise, numbers, is_class_name=False)
    return rows.plus(support_units(centres, torch.arange(len(counts)), is_class_name=True)) if names else rows


@pytest.mark.parametrize("counts", [(4, 4, 4), (1, 1), (2, 9, 3), (40, 30)])
def test_scores_are_cosines_plus_balanced_ridge_regression(counts):
    rows = clouds(counts)
    x, y = rows.features.double().numpy(), rows.numbers.numpy()
    weights = np.array([len(y) / len(counts) / counts[c] for c in y])
    assert balance(rows.numbers, len(counts)).numpy() == pytest.approx(weights)
    regression = Ridge(alpha=PENALTY).fit(x, np.eye(len(counts))[y], sample_weight=weights)
    means = np.stack([x[y == c].mean(0) for c in range(len(counts))])
    cosines = x @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T
    weight, bias = layer(rows, len(counts), "cosine")
    scores = x @ weight.numpy().T + bias.numpy()
    assert scores == pytest.approx(cosines + regression.predict(x).reshape(len(y), -1), abs=1e-9)


def test_by_distance_the_prototypes_keep_their_length():
    rows = clouds((3, 3))
    weight, bias = layer(rows, 2, "euclidean")
    x = rows.features.double()
    means = torch.stack([x[:3].mean(0), x[3:].mean(0)])
    cosine_weight, cosine_bias = layer(rows, 2, "cosine")
    ridge = cosine_weight - means / means.norm(dim=1, keepdim=True)
    assert torch.allclose(weight, 2 * means + ridge)
    assert torch.allclose(bias, cosine_bias - means.pow(2).sum(1))


@pytest.mark.parametrize("names", [False, True])
@pytest.mark.parametrize("counts", [(4, 4, 4), (1, 6, 2), (7, 7)])
def test_what_is_set_aside_has_no_part_in_its_scores(counts, names):
    rows = clouds(counts, names=names)
    fold = folds(rows)
    assert (fold[rows.is_class_name] == -1).all()
    assert fold[~rows.is_class_name].min() >= 0
    assert fold.max() < FOLDS
    for c in range(len(counts)):  # the examples of a class are spread evenly
        spread = torch.bincount(fold[(rows.numbers == c) & ~rows.is_class_name], minlength=FOLDS)
        assert spread.max() - spread[: int(fold.max()) + 1].min() <= 1
    scores, numbers = held_out(rows, len(counts), "cosine")
    expected = []
    for k in range(int(fold.max()) + 1):
        weight, bias = layer(rows.at(fold != k), len(counts), "cosine")
        inside = set(rows.numbers[fold != k].tolist())
        for i in torch.nonzero(fold == k)[:, 0].tolist():
            if int(rows.numbers[i]) in inside:
                expected.append((rows.features[i].double() @ weight.T + bias, int(rows.numbers[i])))
    assert len(numbers) == len(expected) == sum(counts) - (0 if names else counts.count(1))
    assert torch.allclose(scores, torch.stack([one for one, _ in expected]))
    assert numbers.tolist() == [number for _, number in expected]


def test_the_order_of_the_examples_is_nothing():
    rows = clouds((5, 7, 3), names=True)
    other = rows.at(torch.randperm(len(rows.numbers), generator=torch.Generator().manual_seed(1)))
    (solver, beta), (same, beta_again) = solver_of(rows, 3, "cosine"), solver_of(other, 3, "cosine")
    assert solver == same
    one = blend(rows, 3, "cosine", solver=solver, beta=beta)
    two = blend(other, 3, "cosine", solver=solver, beta=beta_again)
    assert all(torch.allclose(one[name], two[name], atol=1e-4) for name in one)


def test_one_example_of_each_class_is_judged_by_the_names_alone():
    rows = clouds((1, 1, 1), names=True)
    scores, numbers = held_out(rows, 3, "cosine")
    weight, bias = layer(rows.at(rows.is_class_name), 3, "cosine")
    assert numbers.tolist() == [0, 1, 2]
    assert torch.allclose(scores, rows.features[:3].double() @ weight.T + bias)
    assert not len(held_out(clouds((1, 1, 1)), 3, "cosine")[1])


@pytest.mark.parametrize("truth", [2.0, 8.0, 20.0])
def test_confidence_is_what_the_labels_were_drawn_with(truth):
    draws = torch.Generator().manual_seed(0)
    scores = torch.randn(4000, 4, generator=draws, dtype=torch.float64) / 4
    numbers = torch.multinomial((truth * scores).softmax(-1), 1, generator=draws)[:, 0]
    found = confidence(scores, numbers, start=START)
    assert found == pytest.approx(truth, rel=0.1)
    losses = [log_loss(numbers, (beta * scores).softmax(-1)) for beta in (0.9 * found, found, 1.1 * found)]
    assert losses[1] < min(losses[0], losses[2])


def test_few_examples_leave_confidence_near_where_it_begins():
    scores, numbers = torch.eye(2).double(), torch.tensor([0, 1])  # all right, so that the loss alone has no minimum
    assert START < confidence(scores, numbers, start=START) < 2 * START
    assert confidence(scores[:0], numbers[:0], start=3.0) == 3.0


def test_blend_is_the_layer_times_its_confidence():
    rows = clouds((6, 6), spread=1.0)
    solver, beta = solver_of(rows, 2, "cosine")
    assert beta == confidence(*held_out(rows, 2, "cosine", solver), start=CONFIDENCE[solver])
    assert math.isfinite(beta)
    head, (weight, bias) = blend(rows, 2, "cosine", solver=solver, beta=beta), layer(rows, 2, "cosine", solver)
    assert torch.allclose(head["head.weight"].double(), beta * weight, rtol=1e-5)
    assert torch.allclose(head["head.bias"].double(), beta * bias, rtol=1e-5)


@pytest.mark.parametrize("counts", [(5, 5), (2, 9, 3), (4, 4, 4, 4)])
def test_logistic_regression_is_where_its_loss_is_flat(counts):
    rows = clouds(counts, names=True)
    weight, bias = (part.requires_grad_() for part in logistic(rows, len(counts)))
    losses = torch.nn.functional.cross_entropy(rows.features.double() @ weight.T + bias, rows.numbers, reduction="none")
    # With two classes there is one logit, of norm √2 that of a half of it for each.
    penalty = weight.pow(2).sum() / 2 * (2 if len(counts) == 2 else 1)
    (FREEDOM * (balance(rows.numbers, len(counts)) * losses).sum() + penalty).backward()
    assert weight.grad.abs().max() < 1e-4
    assert bias.grad.abs().max() < 1e-4


def test_a_class_without_rows_is_never_the_likeliest_by_logistic_regression():
    rows = clouds((4, 0, 4))
    weight, bias = logistic(rows, 3)
    assert (weight[1], bias[1]) == (pytest.approx(0), ABSENT)
    assert set((rows.features.double() @ weight.T + bias).argmax(1).tolist()) == {0, 2}
    assert torch.equal((rows.features.double() @ weight.T + bias).argmax(1), rows.numbers)


def stripes(classes: int, per_class: int, *, seed: int = 0) -> SupportUnits:
    """Return classes that differ little, along directions of small variance: what class means are blind to."""
    draws = torch.Generator().manual_seed(seed)
    numbers = torch.arange(classes).repeat_interleave(per_class)
    loud = torch.randn(len(numbers), 6, generator=draws)
    told = torch.nn.functional.one_hot(numbers, classes) * 0.5 + 0.02 * torch.randn(
        len(numbers), classes, generator=draws
    )
    return support_units(torch.cat([loud, told], dim=1), numbers, is_class_name=False)


def test_the_solver_is_the_one_that_tells_examples_set_aside_better_by_a_nat():
    def lost(rows: SupportUnits, classes: int, solver) -> float:
        scores, numbers = held_out(rows, classes, "cosine", solver)
        beta = confidence(scores, numbers, start=CONFIDENCE[solver])
        return log_loss(numbers, (beta * scores).softmax(-1), labels=range(classes), normalize=False)

    found = set()
    for rows, classes in [(stripes(12, 8), 12), (clouds((3, 3, 3)), 3), (clouds((6, 6), spread=1.0), 2)]:
        gain = lost(rows, classes, "ridge") - lost(rows, classes, "logistic")
        solver, beta = solver_of(rows, classes, "cosine")
        assert solver == ("logistic" if gain > ENOUGH else "ridge")
        assert beta == confidence(*held_out(rows, classes, "cosine", solver), start=CONFIDENCE[solver])
        found.add(solver)
    assert found == {"ridge", "logistic"}


def test_without_an_example_to_set_aside_it_is_ridge_regression():
    assert solver_of(clouds((1, 1, 1)), 3, "cosine") == ("ridge", START)


def test_rare_classes_come_more_often_in_gradient_steps():
    numbers = [0] * 40 + [1] * 10 + [2] * 2
    rows = evened(numbers)
    assert [sum(numbers[row] == c for row in rows) for c in range(3)] == [40, 40, 2 * MOST_OFTEN]
    assert set(rows) == set(range(52))
    assert evened([0, 1, 1, 0]) == [0, 1, 2, 3]


def test_confidence_falls_with_gradient_steps():
    assert fitted(6, 4) == pytest.approx(FITTED["ridge"])
    assert fitted(1, 4) > fitted(6, 4) > fitted(40, 4) > fitted(400, 4) > 1
    assert fitted(12, 16) == pytest.approx(2 * fitted(12, 4))
    assert fitted(12, 4, "logistic") < fitted(12, 4)
