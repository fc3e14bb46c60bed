"""The nearest rows, of another fold and of another class, are those of a search in float64."""

import pytest
import torch
from torch.nn.functional import normalize

from metaglot.families.classes.nearest import BLOCK, largest_cosine, nearest_apart


def unit(count: int, seed: int = 0) -> torch.Tensor:
    return normalize(torch.randn(count, 16, generator=torch.Generator().manual_seed(seed)), dim=-1)


def by_hand(x: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    cosines = x.double() @ x.double().T
    return cosines.masked_fill(group[:, None] == group, -1.0).amax(1)


@pytest.mark.parametrize(("classes", "count"), [(2, 9), (3, BLOCK + 40), (400, 2 * BLOCK + 300)])
def test_rows_of_other_folds_and_classes(classes, count):
    x, draws = unit(count), torch.Generator().manual_seed(1)
    numbers, fold = (torch.randint(most, (count,), generator=draws) for most in (classes, 4))
    fold -= 1  # names are of the fold -1
    x[3] = x[1]  # a text that stands twice
    for asked in (torch.arange(count), torch.randperm(count, generator=draws)[: count // 2]):
        near, other = nearest_apart(x, fold, numbers, asked)
        torch.testing.assert_close(near, by_hand(x, fold)[asked], rtol=0, atol=1e-12)
        torch.testing.assert_close(other, by_hand(x, numbers)[asked], rtol=0, atol=1e-12)


def test_none_of_another_is_minus_one():
    fold, numbers = torch.zeros(5, dtype=torch.long), torch.arange(5)
    near, other = nearest_apart(unit(5), fold, numbers, torch.arange(5))
    assert near.tolist() == [-1.0] * 5
    torch.testing.assert_close(other, by_hand(unit(5), numbers), rtol=0, atol=1e-12)


def test_the_largest_cosine():
    x, rows = unit(BLOCK + 7, seed=2).double(), unit(300, seed=3).double()
    torch.testing.assert_close(largest_cosine(x, rows), (x @ rows.T).amax(1), rtol=0, atol=1e-12)
    assert largest_cosine(x[:0], rows).shape == (0,)
