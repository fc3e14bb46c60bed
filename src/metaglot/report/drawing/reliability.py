"""Reliability diagrams: how often predictions of a confidence are right, a small square for each method.

Guo et al. 2017, https://arxiv.org/abs/1706.04599, figure 1.
"""

from collections.abc import Iterator, Sequence
from math import sqrt
from typing import NamedTuple

from metaglot.report.drawing.axes import Scale
from metaglot.report.drawing.svg import WIDTH, colour, picture, points, rule, shortened, text

ACROSS, SIDE, GAP, HEAD = 3, 102, 33, 44
AXES = "across: confidence in % · up: accuracy in %"


class Reliability(NamedTuple):
    """The bins of a method that hold predictions."""

    name: str
    confidence: Sequence[float]  # mean of a bin
    accuracy: Sequence[float]
    size: Sequence[int]  # predictions in a bin
    note: str = ""
    style: int = 0


def reliability_chart(methods: Sequence[Reliability], *, title: str, axes: str = AXES) -> str:
    """Return a square for each method with the diagonal on which it would be calibrated.

    The area of a dot is the share of predictions in its bin.  An empty text when no method has a bin.
    """
    shown = [one for one in methods if one.size]
    if not shown:
        return ""
    rows = -(-len(shown) // ACROSS)
    parts = [text(0, 14, title, "title")]
    for number, one in enumerate(shown):
        x, y = GAP + (SIDE + GAP) * (number % ACROSS), 30 + (SIDE + HEAD + 22) * (number // ACROSS)
        parts += _square(one, x, y)
    height = 30 + (SIDE + HEAD + 22) * rows
    parts.append(text(WIDTH / 2, height + 4, axes, anchor="middle"))
    said = ", ".join(f"{one.name} {one.note}" for one in shown)
    return picture(parts, height + 12, title, says=said)


def _square(one: Reliability, x: float, y: float) -> Iterator[str]:
    right, top = Scale(0, 1, x, x + SIDE), Scale(0, 1, y + HEAD + SIDE - 10, y + HEAD - 10)
    yield text(x, y + 12, shortened(one.name, SIDE), "strong")
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
