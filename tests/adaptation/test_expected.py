"""What accuracy to expect: its form, and that the interval holds where examples are independent."""

import pytest
import torch

from metaglot.adaptation.closed_form import known_rows
from metaglot.adaptation.expected import expected


def blobs(per_class: int, spread: float, seed: int, classes: int = 3):
    """Features around the corners of a simplex in 16 dimensions, and their classes."""
    noise = torch.randn(classes * per_class, 16, generator=torch.Generator().manual_seed(seed))
    numbers = torch.arange(classes).repeat_interleave(per_class)
    return torch.eye(16)[numbers] + spread * noise, numbers


def rows(per_class: int, spread: float, seed: int = 0):
    return known_rows(*blobs(per_class, spread, seed), spoken=False)


def test_the_form():
    found = expected(rows(8, 0.0), 3, "cosine", per_class=8)
    assert found.accuracy == pytest.approx(25 / 26 + 0.086 / 8)
    assert found.low < found.accuracy <= found.high <= 1
    assert found.doubled == pytest.approx(0.2 * 8**-0.27 * (1 - found.accuracy))
    assert expected(rows(8, 0.0), 3, "cosine", per_class=8, gain=-0.1).accuracy == pytest.approx(found.accuracy - 0.1)
    assert "8 → 16 examples a class: about +" in found.said()
    assert expected(rows(1, 0.1), 3, "cosine", per_class=1) is None


@pytest.mark.parametrize("per_class", [4, 8, 16])
def test_the_interval_holds_the_accuracy(per_class):
    from metaglot.adaptation.closed_form import layer

    held = 0
    for seed in range(40):
        known = rows(per_class, 0.6, seed)
        weight, bias = layer(known, 3, "cosine")
        features, numbers = blobs(200, 0.6, 1000 + seed)
        unit = torch.nn.functional.normalize(features, dim=-1).double()
        accuracy = float(((unit @ weight.T + bias).argmax(1) == numbers).double().mean())
        found = expected(known, 3, "cosine", per_class=per_class)
        held += found.low <= accuracy <= found.high
    assert held >= 36


def test_more_examples_narrow_it():
    widths = [f.high - f.low for f in (expected(rows(k, 0.6), 3, "cosine", per_class=k) for k in (4, 16, 64))]
    assert widths == sorted(widths, reverse=True)
