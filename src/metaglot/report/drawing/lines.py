"""Lines over common axes, each with its markers, its interval and its name."""

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import NamedTuple

from metaglot.report.drawing.axes import Scale, log_ticks, scale, ticks, x_axis, y_axis
from metaglot.report.drawing.svg import WIDTH, colour, marker, picture, points, rule, text, width_of

MARKED = 30  # points, at most, of a line that shows each of them
LEFT, RIGHT = 46, WIDTH - 16
EDGE = 12  # room for bars beside each other


class Series(NamedTuple):
    """A line: y over x, with an interval from `low` to `high` where they are given."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    style: int = 0  # which colour and marker
    says: Sequence[str] = ()  # of each point, under the pointer


def line_chart(
    series: Sequence[Series], *, title: str, x: str, height: int = 300, log: bool = False, marks: Sequence[float] = ()
) -> str:
    """Return lines over common axes, named at the top if there are several; series without points are left out.

    A single series shows its interval as a band, several as bars set beside each other.  With `log`, x is
    logarithmic and points at or below zero are left out; `marks` are the numbers on x.  An empty text when no series
    has a point.
    """
    shown = [one for one in (_finite(one, log) for one in series) if one.x]
    if not shown:
        return ""
    across = [value for one in shown for value in one.x]
    up = [value for one in shown for values in (one.y, one.low, one.high) for value in values if isfinite(value)]
    ys = ticks(min(up), max(up))
    xs = list(marks) or (log_ticks if log else ticks)(min(across), max(across))
    names = list(_legend(shown)) if len(shown) > 1 else []
    foot, head = height - 46, 34 + 20 * (len(names) and names[-1][0] + 1)
    edge = EDGE if len(shown) > 1 else 0
    right = scale(across, xs, LEFT + edge, RIGHT - edge, log=log)
    top = scale(up, ys, foot, head)
    parts = [text(0, 14, title, "title"), *(part for _, part in names), *y_axis(ys, top, (LEFT, RIGHT))]
    parts += [*x_axis(xs, right, foot), text((LEFT + RIGHT) / 2, height - 6, x, anchor="middle")]
    for number, one in enumerate(shown):
        aside = (
            min(3.0, 2 * EDGE / len(shown)) * (number - (len(shown) - 1) / 2)
            if any(series.low for series in shown)
            else 0.0
        )
        parts += _line(one, right, top, aside, banded=len(shown) == 1)
    return picture(parts, height, title, says=f"{len(shown)} lines: {', '.join(one.name for one in shown)}")


def _finite(one: Series, log: bool) -> Series:
    kept = [
        n
        for n, (x, y) in enumerate(zip(one.x, one.y, strict=True))
        if isfinite(x) and isfinite(y) and (x > 0 or not log)
    ]
    x, y, low, high = ([values[n] for n in kept] if values else [] for values in one[1:5])
    return Series(one.name, x, y, low, high, one.style, [one.says[n] for n in kept] if one.says else [])


def _line(one: Series, right: Scale, top: Scale, aside: float, *, banded: bool) -> Iterator[str]:
    tone = colour(one.style)
    places = [(right(x) + aside, top(y)) for x, y in zip(one.x, one.y, strict=True)]
    if one.low and banded and all(map(isfinite, (*one.low, *one.high))):
        there = [(right(x), top(v)) for x, v in zip(one.x, one.high, strict=True)]
        back = [(right(x), top(v)) for x, v in zip(one.x, one.low, strict=True)]
        yield f'<polygon class="band {tone}" points="{points([*there, *back[::-1]])}"/>'
    elif one.low:
        ends = zip(places, one.low, one.high, strict=True)
        yield from (rule(x, top(a), x, top(b), f"thin {tone}") for (x, _), a, b in ends if isfinite(a) and isfinite(b))
    yield f'<polyline class="line {tone}" points="{points(places)}"/>'
    if len(places) <= MARKED:
        says = one.says or [""] * len(places)
        yield from (marker(x, y, one.style, says=said) for (x, y), said in zip(places, says, strict=True))


def _legend(series: Sequence[Series]) -> Iterator[tuple[int, str]]:
    """Yield (row, part): the name of each series after its line and marker, in as many rows as they need."""
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
