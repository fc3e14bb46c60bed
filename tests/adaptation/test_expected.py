"""What accuracy to expect: its form, and that the interval holds where examples are independent."""

import pytest
import torch

from metaglot.families.classes.expected import expected
from metaglot.families.support_units import support_units


def blobs(per_class: int, spread: float, seed: int, classes: int = 3):
    """Features around the corners of a simplex in 16 dimensions, and their classes."""
    noise = torch.randn(classes * per_class, 16, generator=torch.Generator().manual_seed(seed))
    numbers = torch.arange(classes).repeat_interleave(per_class)
    return torch.eye(16)[numbers] + spread * noise, numbers


def rows(per_class: int, spread: float, seed: int = 0):
    return support_units(*blobs(per_class, spread, seed), is_class_name=False)


def test_the_form():
    found = expected(rows(8, 0.01), 3, "cosine")
    assert found.accuracy == pytest.approx(25 / 26 + 0.086 / 8)
    assert found.low < found.accuracy <= found.high <= 1
    assert found.doubled == pytest.approx(0.2 * 8**-0.27 * (1 - found.accuracy))
    assert expected(rows(8, 0.01), 3, "cosine", gain=-0.1).accuracy == pytest.approx(found.accuracy - 0.1)
    assert "8 → 16 examples a class: about +" in found.sentence()
    assert expected(rows(1, 0.1), 3, "cosine") is None


def test_nobody_is_sure_of_few():
    found = expected(rows(2, 0.01), 3, "cosine", gain=0.2)
    assert found.accuracy == found.high == 1
    assert found.low == pytest.approx(1 - 2.5 * (1 / 8 * 7 / 8 / 9) ** 0.5)


def test_classes_of_unlike_size_count_alike():
    features, numbers = blobs(16, 0.6, 0)
    keep = torch.cat([torch.nonzero(numbers == c)[:size, 0] for c, size in enumerate((16, 4, 4))])
    found = expected(support_units(features[keep], numbers[keep], is_class_name=False), 3, "cosine")
    assert found.per_class == pytest.approx(3 / (1 / 16 + 1 / 4 + 1 / 4))
    one = torch.cat([torch.nonzero(numbers == c)[:size, 0] for c, size in enumerate((16, 4, 1))])
    assert expected(support_units(features[one], numbers[one], is_class_name=False), 3, "cosine") is None


def test_repeats_tell_nothing_more():
    features, numbers = blobs(6, 1.5, 0)
    once = expected(support_units(features, numbers, is_class_name=False), 3, "cosine")
    thrice = expected(support_units(features.repeat(3, 1), numbers.repeat(3), is_class_name=False), 3, "cosine")
    assert once.accuracy < 0.9
    assert thrice.accuracy == pytest.approx(once.accuracy)
    assert thrice.high - thrice.low == pytest.approx(once.high - once.low)


@pytest.mark.parametrize("per_class", [4, 8, 16])
def test_the_interval_holds_the_accuracy(per_class):
    from metaglot.families.heads.classes import layer

    held = 0
    for seed in range(40):
        known = rows(per_class, 0.6, seed)
        weight, bias = layer(known, 3, "cosine")
        features, numbers = blobs(200, 0.6, 1000 + seed)
        unit = torch.nn.functional.normalize(features, dim=-1).double()
        accuracy = float(((unit @ weight.T + bias).argmax(1) == numbers).double().mean())
        found = expected(known, 3, "cosine")
        held += found.low <= accuracy <= found.high
    assert held >= 36


def test_more_examples_narrow_it():
    widths = [f.high - f.low for f in (expected(rows(k, 0.6), 3, "cosine") for k in (4, 16, 64))]
    assert widths == sorted(widths, reverse=True)
