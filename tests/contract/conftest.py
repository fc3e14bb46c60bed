"""Fixtures of the contract suites."""

import pytest
from tests.contract.cases import World, world

from metaglot.seeds import generator
from metaglot.tasks import Shape, draw_episode, sources_of
from metaglot.types import Episode


@pytest.fixture(scope="module")
def episodes(toy, family) -> list[Episode]:
    (source,) = sources_of(toy)
    shapes = (Shape((3, 3), (2, 2), 2), Shape((2, 2), (3, 3), 1))
    return [draw_episode(source, family, shape, generator(i, "contract")) for i, shape in enumerate(shapes)]


@pytest.fixture(scope="module")
def here(bert, toy, episodes) -> World:
    return world(bert, toy, episodes)
