"""Dots with intervals, one row each, in panels over a common axis."""

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import NamedTuple

from metaglot.report.drawing.axes import Scale, label, scale, ticks
from metaglot.report.drawing.svg import WIDTH, picture, rule, shorten, text, width_of

ROW = 23
MAX_NAME_WIDTH = 165.0  # user units

NAN = float("nan")


class Dot(NamedTuple):
    """A row of a dot chart: a value with its interval (NaN if unknown)."""

    name: str
    value: float
    low: float
    high: float
    value_text: str  # the value as text
    strong: bool = False
    outer: tuple[float, float] = (NAN, NAN)  # a second, wider interval


class Panel(NamedTuple):
    """Rows of a dot chart under one heading."""

    title: str
    dots: Sequence[Dot]


def dot_chart(panels: Sequence[Panel], *, title: str, x: str, zero: bool = False) -> str:
    """Return one row for each dot, in panels over a common axis, with the values at the right.

    With `zero`, the axis includes zero, with a darker line.  An empty text if no panel has a dot.
    """
    dots = [dot for panel in panels for dot in panel.dots]
    ends = [v for dot in dots for v in (dot.value, dot.low, dot.high, *dot.outer) if isfinite(v)]
    if not ends:
        return ""
    names = min(MAX_NAME_WIDTH, max(width_of(dot.name) * (1.15 if dot.strong else 1) for dot in dots) + 8)
    values = max(width_of(dot.value_text) for dot in dots) + 6
    ends += [0.0] if zero else []
    marks = ticks(min(ends), max(ends), target_count=4)
    right = scale(ends, marks, names + 6, WIDTH - values - 12)
    parts, place = [text(0, 14, title, "title")], 24.0
    for panel in (panel for panel in panels if panel.dots):
        parts += _panel(panel, right, marks, place, zero=zero)
        place += ROW * len(panel.dots) + (26 if panel.title else 6)
    parts += [text(right(m), place + 12, label(m, marks), anchor="middle") for m in marks]
    parts.append(text(right.start, place + 31, x) if width_of(x) < WIDTH - right.start else text(0, place + 31, x))
    description = "; ".join(
        f"{panel.title}: " + ", ".join(f"{d.name} {d.value_text}" for d in panel.dots) for panel in panels
    )
    return picture(parts, place + 38, title, description=description)


def _panel(panel: Panel, right: Scale, marks: Sequence[float], place: float, *, zero: bool) -> Iterator[str]:
    start = place + (22 if panel.title else 2)
    foot = start + ROW * len(panel.dots)
    if panel.title:
        yield text(0, place + 15, panel.title, "strong")
    yield from (rule(right(m), start, right(m), foot, "axis" if zero and m == 0 else "grid") for m in marks)
    for number, dot in enumerate(panel.dots):
        yield from _dot(dot, right, start + ROW * number + ROW / 2, right.start - 14)


def _dot(dot: Dot, right: Scale, y: float, room: float) -> Iterator[str]:
    colour, weight = "s0" if dot.strong else "other", "strong" if dot.strong else ""
    yield text(right.start - 10, y + 4, shorten(dot.name, room), weight, anchor="end")
    for (low, high), style in ((dot.outer, "thin"), ((dot.low, dot.high), "bar")):
        if isfinite(low) and isfinite(high):
            yield rule(right(low), y, right(high), y, f"{style} {colour}")
    yield f'<circle class="{colour}" cx="{right(dot.value):.1f}" cy="{y:.1f}" r="4.5"/>'
    yield text(WIDTH - 2, y + 4, dot.value_text, weight, anchor="end")
