"""The closed-form head of several labels against its formulas, and labels that say nothing."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from metaglot.families.heads.labels import (
    CERTAIN,
    CONFIDENCE,
    DRAWN,
    HEADS,
    NAME,
    NEARNESS,
    PENALTY,
    SHARE_TRUST,
    TRUST,
    HeldOut,
    balance,
    even_score,
    folds,
    held_out,
    label_head,
    link_of,
    logistic,
    mean_difference,
    ridge,
)
from metaglot.families.multilabel import MultiLabelFamily
from metaglot.families.records import Schema
from metaglot.families.support_units import SupportUnits, support_units
from metaglot.seeds import torch_generator


def units(count: int, width: int, labels: int, *, names: bool = True, purpose: str = "units") -> SupportUnits:
    """Examples whose features lean towards their labels, and the labels' names."""
    draws = torch_generator(0, purpose, count)
    centres = torch.randn(labels, width, generator=draws)
    own = (torch.rand(count, labels, generator=draws) < 0.35).float()
    own[:labels] = torch.eye(labels)  # each label at least once
    features = normalize(own @ centres + 0.5 * torch.randn(count, width, generator=draws), dim=1)
    examples = support_units(features, own, is_class_name=False)
    called = support_units(normalize(centres, dim=1), torch.eye(labels), is_class_name=True)
    return examples.plus(called) if names else examples


def with_targets(rows: SupportUnits, targets: torch.Tensor) -> SupportUnits:
    return rows._replace(targets=targets)


@pytest.mark.parametrize("names", [True, False])
def test_units_with_a_label_weigh_as_much_as_those_without_it(names):
    rows = units(20, 6, 3, names=names)
    weights = balance(rows)
    total = 20 + (3 * NAME if names else 0)
    torch.testing.assert_close((weights * rows.targets).sum(0), torch.full((3,), total / 2, dtype=torch.float64))
    torch.testing.assert_close(weights.sum(0), torch.full((3,), total, dtype=torch.float64))
    if names:  # of the units without the last label, a name weighs NAME examples
        without = rows.targets[:, 2] == 0
        torch.testing.assert_close(
            weights[20:][without[20:], 2], NAME * weights[:20][without[:20], 2][:2], rtol=1e-12, atol=0
        )


@pytest.mark.parametrize(("count", "width"), [(12, 40), (60, 5)])
def test_ridge_solves_its_normal_equations(count, width):
    rows = units(count, width, 3)
    near, made = mean_difference(rows), ridge(rows)
    weight, bias = made.weight - NEARNESS * near.weight, made.bias - NEARNESS * near.bias
    x, y, v = rows.features.double(), 2 * rows.targets.double() - 1, balance(rows)
    wrong = v * (x @ weight.T + bias - y)  # [n, K]
    torch.testing.assert_close(wrong.T @ x, -PENALTY["ridge"] * weight, rtol=1e-8, atol=1e-9)
    torch.testing.assert_close(wrong.sum(0), torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-9)


def test_the_gradient_of_logistic_regression_is_zero():
    rows = units(24, 6, 3)
    made = logistic(rows)
    x, own = rows.features.double(), rows.targets.double()
    wrong = balance(rows) * (made.scores(x).sigmoid() - own)
    torch.testing.assert_close(wrong.T @ x, -PENALTY["logistic"] * made.weight, rtol=0, atol=1e-3)
    torch.testing.assert_close(wrong.sum(0), torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-3)


def test_the_difference_of_means_is_zero_half_way_between_them():
    rows = units(20, 6, 3, names=False)
    made = mean_difference(rows)
    x, own = rows.features.double(), rows.targets > 0
    for k in range(3):
        high, low = x[own[:, k]].mean(0), x[~own[:, k]].mean(0)
        torch.testing.assert_close(made.weight[k], high - low)
        assert float(made.scores((high + low)[None] / 2)[0, k]) == pytest.approx(0, abs=1e-12)


def test_folds_hold_each_text_once_and_a_repeated_text_together():
    rows = units(23, 6, 4)
    twice = rows.at(torch.cat([torch.arange(23), torch.tensor([3, 3, 7]), torch.arange(23, 27)]))
    fold = folds(twice)
    assert fold[-4:].tolist() == [-1] * 4
    assert sorted(set(fold[:-4].tolist())) == [0, 1, 2, 3, 4]
    assert fold[23] == fold[24] == fold[3]
    assert fold[25] == fold[7]


def test_the_order_of_examples_says_nothing():
    rows = units(23, 6, 4)
    order = torch.randperm(27, generator=torch_generator(0, "order"))
    here, there = label_head(rows), label_head(rows.at(order))
    torch.testing.assert_close(there.layer.weight, here.layer.weight, rtol=1e-6, atol=1e-7)
    assert there.threshold == pytest.approx(here.threshold, abs=1e-6)


@pytest.mark.parametrize("solver", ["ridge", "logistic"])
def test_scores_of_examples_set_aside_come_from_heads_without_them(solver):
    rows = units(15, 6, 3)
    fold, held = folds(rows), held_out(rows, solver)
    one = [HEADS[solver](rows.at(fold != k)).scores(rows.features[fold == k]) for k in range(5)]
    torch.testing.assert_close(held.scores, torch.cat([of.reshape(-1) for of in one]))
    owners = torch.cat([rows.targets[fold == k] for k in range(5)]).double()
    torch.testing.assert_close(held.truth, owners.reshape(-1))
    torch.testing.assert_close(held.weight.reshape(-1, 3)[:, 0], 1 / owners.sum(1).clamp(min=1))


def some_held(count: int = 400) -> HeldOut:
    draws = torch_generator(0, "held")
    scores = torch.randn(count, generator=draws, dtype=torch.float64)
    truth = (torch.rand(count, generator=draws) < (3 * scores - 1).sigmoid()).double()
    return HeldOut(scores, truth, torch.ones_like(truth))


def test_the_link_finds_the_sigmoid_that_truth_was_drawn_from():
    found = link_of(some_held(20_000), share=0.4, start=1.0)
    assert found.slope == pytest.approx(3, rel=0.1)
    assert found.offset == pytest.approx(-1, abs=0.1)


def test_the_link_is_the_least_of_its_cost_on_a_grid():
    held, start, share = some_held(60), 2.0, 0.3
    found = link_of(held, share=share, start=start)

    def cost(log: float, offset: float) -> float:
        p = (math.exp(log) * held.scores + offset).sigmoid()
        nats = -(held.truth * p.log() + (1 - held.truth) * (1 - p).log()).sum()
        away = (log - math.log(start)) ** 2, (offset - math.log(share / (1 - share))) ** 2
        return float(nats) + TRUST * away[0] + SHARE_TRUST * away[1]

    least = cost(math.log(found.slope), found.offset)
    steps = (-0.05, 0.0, 0.05)
    around = [cost(math.log(found.slope) + a, found.offset + b) for a, b in itertools.product(steps, steps)]
    assert min(around) == pytest.approx(least, abs=1e-6)


def test_probabilities_rise_with_the_score_even_where_examples_say_the_opposite():
    held = some_held()
    found = link_of(held._replace(truth=1 - held.truth), share=0.5, start=1.0)
    assert found.slope > 0


@pytest.mark.parametrize("count", [1, 7, 30])
def test_as_many_labels_reach_the_even_score_as_there_are(count):
    scores = torch.randn(60, generator=torch_generator(0, "even"), dtype=torch.float64)
    truth = torch.zeros_like(scores)
    truth[:count] = 1
    held = HeldOut(scores, truth, torch.ones_like(truth))
    assert int((scores >= even_score(held)).sum()) == count
    assert link_of(held, share=0.5, start=1.0).least == DRAWN * even_score(held)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_the_even_score_of_no_label_and_of_all_is_zero(value):
    scores = torch.tensor([-1.0, 2.0]).double()
    assert even_score(HeldOut(scores, torch.full_like(scores, value), torch.ones_like(scores))) == 0.0


def test_texts_with_many_labels_count_less_for_how_frequent_labels_are():
    held = some_held()
    heavy = held._replace(weight=torch.where(held.truth > 0, 0.5, 1.0).double())
    assert link_of(heavy, share=0.5, start=1.0).offset < link_of(held, share=0.5, start=1.0).offset


@pytest.mark.parametrize("names", [True, False])
def test_a_label_of_all_examples_and_one_of_none_are_constants(names):
    rows = units(20, 6, 4, names=names)
    targets = rows.targets.clone()
    targets[:20, 0], targets[:, 1] = 1.0, 0.0
    made = label_head(with_targets(rows, targets))
    assert bool((made.layer.weight[:2] == 0).all())
    assert made.layer.bias[:2].tolist() == [CERTAIN, -CERTAIN]
    assert bool((made.layer.weight[2:].norm(dim=1) > 0).all())


def test_with_one_example_each_name_scores_highest_for_its_own_label():
    rows = units(20, 6, 3)
    one = rows.at(torch.tensor([1, 20, 21, 22]))
    targets = one.targets.clone()
    targets[0] = torch.tensor([0.0, 1.0, 0.0])
    made = label_head(with_targets(one, targets))
    assert made.layer.scores(one.features[1:])[:, [0, 2]].argmax(0).tolist() == [0, 2]
    assert made.layer.bias[1] == CERTAIN  # the one example has it
    assert 0 < made.threshold < 1


def test_names_alone_give_a_head_of_the_usual_confidence():
    names = units(20, 6, 3).at(torch.tensor([20, 21, 22]))
    made = label_head(names)
    torch.testing.assert_close(made.layer.weight, CONFIDENCE["ridge"] * ridge(names).weight)
    assert made.threshold == pytest.approx(0.5)


def test_one_example_without_names_has_a_constant_head():
    one = units(20, 6, 3, names=False).at(torch.tensor([1]))
    made = label_head(one)
    assert made.layer.bias.tolist() == [-CERTAIN, CERTAIN, -CERTAIN]


@pytest.mark.parametrize("solver", ["ridge", "logistic"])
def test_new_texts_get_their_labels_with_probabilities_that_hold(solver):
    rows = units(600, 12, 4)
    made = label_head(rows.at(torch.cat([torch.arange(60), torch.arange(600, 604)])), solver)
    fresh, own = rows.features[60:600], rows.targets[60:600]
    chances = made.layer.scores(fresh).sigmoid()
    given = (chances >= made.threshold).float()
    right = 2 * (given * own).sum() / (given.sum() + own.sum())
    assert float(right) > 0.8
    assert float(chances.mean()) == pytest.approx(float(own.mean()), abs=0.06)


def test_the_family_solves_with_this_head_and_gives_labels_from_its_threshold_on():
    family, rows = MultiLabelFamily(), units(40, 6, 3)
    schema = Schema(("a", "b", "c"), (1, 1, 1))
    solved, made = family.solve(rows, schema, "cosine"), label_head(rows)
    torch.testing.assert_close(solved.params["head.weight"], made.layer.weight.float())
    chances = family.link(made.layer.scores(rows.features), schema, solved.params).numpy()
    given = [{schema.outputs[k] for k in np.flatnonzero(row >= made.threshold)} for row in chances]
    assert [set(own) for own in family.decode(chances, schema, solved.params)] == given
    assert made.threshold < 0.5
