"""How large an episode is: ways, shots and queries."""

from typing import NamedTuple

import numpy as np

from metaglot.errors import MetaglotError


class Shape(NamedTuple):
    """How large episodes are; N and K are drawn uniformly from their ranges."""

    ways: tuple[int, int] = (2, 8)
    shots: tuple[int, int] = (1, 8)
    queries: int = 4  # of a class or label, as shots; of numbers, of the task in all
    max_support: int = 64  # examples; K is lowered to stay within
    max_query: int = 64
    named: float = 0.0  # share of episodes whose support also has the name of each class, where all names are words


def draw_ways(shape: Shape, classes: int, rng: np.random.Generator) -> int:
    """Return N, uniform over its range within classes and room; raise MetaglotError for a wrong shape."""
    _check(shape)
    most = min(shape.ways[1], classes, shape.max_support, shape.max_query)
    return int(rng.integers(min(shape.ways[0], most), most + 1))


def draw_shots(shape: Shape, ways: int, smallest: int, rng: np.random.Generator, *, least: int = 1) -> tuple[int, int]:
    """Return (K, queries a class): K is uniform over its range; room and smallest class limit both."""
    draw = max(least, int(rng.integers(shape.shots[0], shape.shots[1] + 1)))
    shots = min(draw, shape.max_support // ways, smallest - 1)
    return shots, max(1, min(shape.queries, shape.max_query // ways, smallest - shots))


def _check(shape: Shape) -> None:
    least = 0 if shape.named else 1  # a name can stand for examples
    ordered = 2 <= shape.ways[0] <= shape.ways[1] and least <= shape.shots[0] <= shape.shots[1]
    if not (ordered and shape.queries >= 1 and min(shape.max_support, shape.max_query) >= 2):
        raise MetaglotError(
            f"episodes need 2 ≤ ways[0] ≤ ways[1], {least} ≤ shots[0] ≤ shots[1], queries ≥ 1, max_support ≥ 2 and "
            f"max_query ≥ 2; got {shape}"
        )
