"""Weights that are no numbers are refused; large ones whose sum is beyond all numbers are not."""

import pytest
import torch

from metaglot.errors import MetaglotError
from metaglot.models.finite import check_finite


@pytest.mark.parametrize("wrong", [[float("nan")], [float("inf")], [float("inf"), float("-inf")]])
def test_the_place_of_the_first_is_told(wrong: list[float]) -> None:
    value = torch.cat([torch.ones(3), torch.tensor(wrong)])
    with pytest.raises(MetaglotError, match=rf"here: the weight w holds {len(wrong)} of {3 + len(wrong)} .* at \[3\]"):
        check_finite({"fine": torch.ones(2), "w": value}, "here")


def test_a_sum_beyond_all_numbers_is_no_fault() -> None:
    check_finite({"w": torch.full((10,), 3e38), "numbers": torch.arange(3)}, "here")
