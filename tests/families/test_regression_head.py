"""The closed-form head of numbers against brute force."""

import pytest
import torch

from metaglot.errors import MetaglotError
from metaglot.families.heads.numbers import (
    PENALTIES,
    centred,
    held_out_errors,
    levels_of,
    nearest_level,
    ridge,
)
from metaglot.families.regression import RegressionFamily
from metaglot.families.support_units import support_units
from metaglot.seeds import torch_generator


def drawn(*shape: int, purpose: str) -> torch.Tensor:
    return torch.randn(*shape, generator=torch_generator(0, purpose), dtype=torch.float64)


@pytest.mark.parametrize(("count", "width"), [(2, 5), (9, 30), (20, 3)])
@pytest.mark.parametrize("penalty", [0.01, 1.0, 100.0])
def test_errors_of_examples_set_aside_equal_those_of_heads_made_without_them(count, width, penalty):
    x, y = drawn(count, width, purpose="x"), drawn(count, purpose="y")
    others = [torch.arange(count) != i for i in range(count)]
    lines = [centred(x[rows], y[rows], penalty) for rows in others]
    brute = torch.stack([y[i] - x[i] @ line.weight - line.bias for i, line in enumerate(lines)])
    torch.testing.assert_close(held_out_errors(x, y, penalty), brute, rtol=1e-7, atol=1e-9)


def test_ridge_takes_the_penalty_with_the_least_error_and_no_slope_where_there_is_none():
    x, weight = drawn(30, 4, purpose="x"), drawn(4, purpose="w")
    sure = ridge(x, x @ weight + 3)
    assert sure.penalty == min(PENALTIES)
    torch.testing.assert_close(sure.line.weight, weight, rtol=0.01, atol=0.01)
    assert sure.spread < 0.01
    assert ridge(x, drawn(30, purpose="noise")).penalty == max(PENALTIES)
    alone = ridge(x[:1], torch.tensor([2.0]))
    assert float(alone.line.weight.abs().sum()) == 0
    assert float(alone.line.bias) == 2


def test_the_family_takes_that_penalty_for_its_head():
    """Features of length one that give the numbers exactly want nearly none; a penalty of 1 would halve the slope."""
    family, x = RegressionFamily(), torch.nn.functional.normalize(drawn(12, 6, purpose="x"), dim=-1)
    numbers = (10 * x @ drawn(6, purpose="w") + 50).tolist()
    schema = family.schema(numbers)
    rows = support_units(x, family.tensor(numbers, schema), is_class_name=False)
    head = family.solve(rows, schema, "cosine").params
    scores = x.float() @ head["head.weight"].T + head["head.bias"]
    found = family.link(scores, schema, head)[:, 0]
    torch.testing.assert_close(found.double(), torch.tensor(numbers).double(), rtol=0.0, atol=1.0)


def test_ridge_has_the_zero_of_its_gradient():
    x, y = drawn(8, 20, purpose="x"), drawn(8, purpose="y")
    w, b = (part.clone().requires_grad_() for part in centred(x, y, 0.7))
    ((y - x @ w - b).pow(2).sum() + 0.7 * w.pow(2).sum()).backward()
    assert w.grad is not None
    assert b.grad is not None
    assert float(w.grad.abs().max()) < 1e-10
    assert float(b.grad.abs()) < 1e-10


def test_levels():
    levels = torch.tensor([1.0, 2.0, 5.0])
    assert nearest_level(torch.tensor([-3.0, 1.5, 1.6, 3.6, 9.0]), levels).tolist() == [1, 1, 2, 5, 5]


def test_levels_in_even_steps_are_filled_up_and_far_more_than_there_are_examples_are_not():
    assert levels_of([1, 2, 4]) == (1, 2, 3, 4)
    assert levels_of([0, 1, 99]) == tuple(range(100))
    assert levels_of([0, 1, 100]) == (0, 1, 100)
    assert levels_of([0, 1e-12, 1e12]) == (0, 1e-12, 1e12)
    assert levels_of([0, 5e-324, 1e100]) == (0, 5e-324, 1e100)


def test_numbers_far_from_zero_are_learnt_in_units_of_their_spread_too():
    numbers, far = [1.0, 2.0, 4.0], 1e9
    targets = []
    for at in (0.0, far):
        family = RegressionFamily()
        objective = family.objective(family.schema([at + one for one in numbers]), 0)
        rows = [{"input_ids": [1], "attention_mask": [1], "target": at + one} for one in numbers]
        targets.append(objective.collate(rows)["targets"])
    assert targets[0].dtype == torch.float32
    torch.testing.assert_close(targets[1], targets[0], rtol=1e-6, atol=1e-6)


def test_features_and_numbers_of_unlike_count_are_refused():
    with pytest.raises(MetaglotError, match=r"\(3, 2\) came with targets of shape \(4,\)"):
        ridge(torch.zeros(3, 2), torch.zeros(4))
