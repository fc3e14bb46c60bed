"""Lines over common axes, each with its markers, its interval and its name."""

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import NamedTuple

from metaglot.report.drawing.axes import Scale, log_ticks, scale, ticks, x_axis, y_axis
from metaglot.report.drawing.svg import WIDTH, colour, marker, picture, points, rule, text, width_of

MAX_MARKERS = 30  # a longer line has no markers
LEFT, RIGHT = 46, WIDTH - 16
EDGE = 12  # space for bars side by side


class Series(NamedTuple):
    """A line: y over x, with an interval from `low` to `high` if they are given."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    style: int = 0  # the number of colour and marker
    descriptions: Sequence[str] = ()  # of each point; they appear under the pointer


def line_chart(
    series: Sequence[Series], *, title: str, x: str, height: int = 300, log: bool = False, marks: Sequence[float] = ()
) -> str:
    """Return lines over common axes; several lines have a legend at the top, and series without points are left out.

    The interval of a single series is a band; the intervals of several series are bars side by side.  With `log`, x
    is logarithmic and points at or below zero are left out.  `marks` are the numbers on x.  An empty text if no series
    has a point.
    """
    lines = [one for one in (_finite_points(one, log) for one in series) if one.x]
    if not lines:
        return ""
    across = [value for one in lines for value in one.x]
    up = [value for one in lines for values in (one.y, one.low, one.high) for value in values if isfinite(value)]
    ys = ticks(min(up), max(up))
    xs = list(marks) or (log_ticks if log else ticks)(min(across), max(across))
    names = list(_legend(lines)) if len(lines) > 1 else []
    foot, head = height - 46, 34 + 20 * (len(names) and names[-1][0] + 1)
    padding = EDGE if len(lines) > 1 else 0
    right = scale(across, xs, LEFT + padding, RIGHT - padding, log=log)
    top = scale(up, ys, foot, head)
    parts = [text(0, 14, title, "title"), *(part for _, part in names), *y_axis(ys, top, (LEFT, RIGHT))]
    parts += [*x_axis(xs, right, foot), text((LEFT + RIGHT) / 2, height - 6, x, anchor="middle")]
    for number, one in enumerate(lines):
        offset = (
            min(3.0, 2 * EDGE / len(lines)) * (number - (len(lines) - 1) / 2)
            if any(series.low for series in lines)
            else 0.0
        )
        parts += _line(one, right, top, offset, has_band=len(lines) == 1)
    return picture(parts, height, title, description=f"{len(lines)} lines: {', '.join(one.name for one in lines)}")


def _finite_points(one: Series, log: bool) -> Series:
    indices = [
        n
        for n, (x, y) in enumerate(zip(one.x, one.y, strict=True))
        if isfinite(x) and isfinite(y) and (x > 0 or not log)
    ]
    x, y, low, high = ([values[n] for n in indices] if values else [] for values in one[1:5])
    return Series(
        one.name, x, y, low, high, one.style, [one.descriptions[n] for n in indices] if one.descriptions else []
    )


def _line(one: Series, right: Scale, top: Scale, offset: float, *, has_band: bool) -> Iterator[str]:
    tone = colour(one.style)
    places = [(right(x) + offset, top(y)) for x, y in zip(one.x, one.y, strict=True)]
    if one.low and has_band and all(map(isfinite, (*one.low, *one.high))):
        upper = [(right(x), top(v)) for x, v in zip(one.x, one.high, strict=True)]
        lower = [(right(x), top(v)) for x, v in zip(one.x, one.low, strict=True)]
        yield f'<polygon class="band {tone}" points="{points([*upper, *lower[::-1]])}"/>'
    elif one.low:
        ends = zip(places, one.low, one.high, strict=True)
        yield from (rule(x, top(a), x, top(b), f"thin {tone}") for (x, _), a, b in ends if isfinite(a) and isfinite(b))
    yield f'<polyline class="line {tone}" points="{points(places)}"/>'
    if len(places) <= MAX_MARKERS:
        descriptions = one.descriptions or [""] * len(places)
        yield from (
            marker(x, y, one.style, description=description)
            for (x, y), description in zip(places, descriptions, strict=True)
        )


def _legend(series: Sequence[Series]) -> Iterator[tuple[int, str]]:
    """Yield (row, part): the line, marker and name of each series, in as many rows as needed."""
    row, place = 0, 0.0
    for one in series:
        room = 30 + width_of(one.name) + 12
        if place and place + room > WIDTH:
            row, place = row + 1, 0.0
        y = 34 + 20 * row
        yield row, rule(place, y - 4, place + 22, y - 4, f"line {colour(one.style)}")
        yield row, marker(place + 11, y - 4, one.style)
        yield row, text(place + 28, y, one.name)
        place += room
