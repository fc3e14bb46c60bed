"""Reliability diagrams: the share of right predictions by confidence, in a small square for each method.

Guo et al. 2017, https://arxiv.org/abs/1706.04599, figure 1.
"""

from collections.abc import Iterator, Sequence
from math import sqrt
from typing import NamedTuple

from metaglot.report.drawing.axes import Scale
from metaglot.report.drawing.svg import WIDTH, colour, picture, points, rule, shorten, text

COLUMNS, SIDE, GAP, HEAD = 3, 102, 33, 44
AXES = "across: confidence in % · up: accuracy in %"


class Reliability(NamedTuple):
    """The bins of a method that have predictions."""

    name: str
    confidence: Sequence[float]  # mean of a bin
    accuracy: Sequence[float]
    size: Sequence[int]  # predictions in a bin
    note: str = ""
    style: int = 0


def reliability_chart(methods: Sequence[Reliability], *, title: str, axes: str = AXES) -> str:
    """Return a square for each method; a calibrated method lies on the diagonal.

    The area of a dot is the share of predictions in its bin.  An empty text if no method has a bin.
    """
    diagrams = [one for one in methods if one.size]
    if not diagrams:
        return ""
    rows = -(-len(diagrams) // COLUMNS)
    parts = [text(0, 14, title, "title")]
    for number, one in enumerate(diagrams):
        x, y = GAP + (SIDE + GAP) * (number % COLUMNS), 30 + (SIDE + HEAD + 22) * (number // COLUMNS)
        parts += _square(one, x, y)
    height = 30 + (SIDE + HEAD + 22) * rows
    parts.append(text(WIDTH / 2, height + 4, axes, anchor="middle"))
    description = ", ".join(f"{one.name} {one.note}" for one in diagrams)
    return picture(parts, height + 12, title, description=description)


def _square(one: Reliability, x: float, y: float) -> Iterator[str]:
    right, top = Scale(0, 1, x, x + SIDE), Scale(0, 1, y + HEAD + SIDE - 10, y + HEAD - 10)
    yield text(x, y + 12, shorten(one.name, SIDE), "strong")
    yield text(x, y + 27, one.note)
    for mark in (0.0, 0.5, 1.0):
        yield rule(x, top(mark), x + SIDE, top(mark), "grid")
        yield rule(right(mark), top(0), right(mark), top(1), "grid")
        yield text(x - 5, top(mark) + 4, f"{100 * mark:.0f}", anchor="end")
        yield text(right(mark), top(0) + 15, f"{100 * mark:.0f}", anchor="middle")
    yield rule(right(0), top(0), right(1), top(1), "dash")
    places = [(right(c), top(a)) for c, a in zip(one.confidence, one.accuracy, strict=True)]
    yield f'<polyline class="line {colour(one.style)}" points="{points(places)}"/>'
    for (px, py), count in zip(places, one.size, strict=True):
        size = max(1.5, 9 * sqrt(count / sum(one.size)))
        yield f'<circle class="{colour(one.style)}" cx="{px:.1f}" cy="{py:.1f}" r="{size:.1f}"/>'
