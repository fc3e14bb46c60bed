"""The cost model of `benchmarks/scaling.py`: its counts by hand, and its numbers found again from made-up points."""

import pytest
from benchmarks.scaling_model import Fitted, Network, Point, Size, fit
from benchmarks.scaling_world import world

SIZES = [
    Size(2, 128, 8000, 20, 20, 32, 2, 4),
    Size(4, 128, 8000, 20, 20, 32, 2, 2),
    Size(2, 256, 30522, 20, 10, 32, 2, 2),
    Size(4, 256, 8000, 20, 20, 16, 2, 1),
]
TRUE = Fitted(2e-11, 5e-8, 3e-9, 2e-8, 3e8, 7.0, 6.0)


def test_parameters_are_those_of_the_network():
    size = Size(2, 32, 300, 5, 5, 8, 1, 1)
    state, *_ = world(size, 1)
    body = sum(value.numel() for name, value in state.params.items() if name.startswith("body."))
    assert size.parameters == body


def test_numbers_are_found_again():
    network = Network(1e9, 0.0)
    points = []
    for size in SIZES:
        rest = TRUE.updated * size.parameters
        points.append(Point(size, TRUE.seconds(size, 1, network) - rest, rest, TRUE.bytes(size)))
    assert list(fit(points)) == pytest.approx(list(TRUE), rel=1e-6)


def test_ranks_of_a_step():
    size, network = SIZES[0], Network(1e9, 1e-5)
    one, two = (TRUE.seconds(size, count, network) for count in (1, 2))
    per_episode = TRUE.work * size.work + TRUE.passed * size.passed + TRUE.touched * size.parameters
    talk = network.step(size.parameters, 2)
    assert one - two == pytest.approx(2 * per_episode - talk)
    assert talk == pytest.approx(2 * (4 * size.parameters / 2 / 1e9 + 1e-5) + 4 * (1e-5 + 4104 / 1e9))
    assert network.step(size.parameters, 1) == 0
    uneven = TRUE.seconds(size._replace(episodes=3), 2, network)
    assert uneven == pytest.approx(two)  # the rank with two episodes decides
