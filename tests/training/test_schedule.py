"""The learning-rate factor in closed form."""

import math

import pytest

from metaglot.training.schedule import factor


def test_warm_up_is_linear_and_reaches_one():
    assert [factor(step, steps=100, warmup=4) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]


def test_cosine_from_one_to_nearly_zero():
    found = [factor(step, steps=10, warmup=2) for step in range(2, 11)]
    assert found == pytest.approx([(1 + math.cos(math.pi * k / 8)) / 2 for k in range(9)])
    assert found[0] == 1.0
    assert found[4] == pytest.approx(0.5)
    assert found[-1] == pytest.approx(0.0)


def test_constant_after_warm_up():
    assert [factor(step, steps=5, warmup=2, schedule="constant") for step in range(5)] == [0.5, 1, 1, 1, 1]


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_a_warm_up_longer_than_the_run_only_warms_up(schedule):
    assert [factor(step, steps=3, warmup=6, schedule=schedule) for step in range(3)] == pytest.approx(
        [1 / 6, 2 / 6, 0.5]
    )


def test_every_factor_is_a_share():
    cases = [(steps, warmup) for steps in (1, 2, 7) for warmup in (0, 1, 7)]
    for steps, warmup in cases:
        assert all(0 <= factor(step, steps=steps, warmup=warmup) <= 1 for step in range(steps + 3))
    assert len(cases) == 9
