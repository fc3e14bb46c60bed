"""Charts as SVG text: lines with bands, and dots with intervals.

Each picture carries its own style, light and dark, so that it looks the same in a page and as a file in a README.
Numbers in, text out.
"""

from collections.abc import Iterator, Sequence
from html import escape
from math import floor, isfinite, log10
from typing import NamedTuple

WIDTH = 480  # user units; the picture scales to its container

STYLE = """
.mg{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
.mg text{fill:#5a6472}.mg .strong{fill:#16202c;font-weight:600}.mg .title{fill:#16202c;font-weight:600;font-size:13px}
.mg .grid{stroke:#e4e8ee;stroke-width:1}.mg .axis{stroke:#aab3c0;stroke-width:1}
.mg .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.mg .s0{stroke:#0a7d74;fill:#0a7d74}.mg .s1{stroke:#c2571a;fill:#c2571a}.mg .s2{stroke:#4d62c5;fill:#4d62c5}
.mg .s3{stroke:#a23b84;fill:#a23b84}.mg .other{stroke:#8b96a5;fill:#8b96a5}
.mg .line{fill:none}.mg .band{stroke:none;opacity:.16}.mg .bar{stroke-width:2.5;stroke-linecap:round}
@media (prefers-color-scheme:dark){
.mg text{fill:#9aa7b6}.mg .strong,.mg .title{fill:#eef2f6}.mg .grid{stroke:#29323d}.mg .axis{stroke:#5a6675}
.mg .s0{stroke:#3fd0c0;fill:#3fd0c0}.mg .s1{stroke:#f2995c;fill:#f2995c}.mg .s2{stroke:#93a5ff;fill:#93a5ff}
.mg .s3{stroke:#e58acb;fill:#e58acb}.mg .other{stroke:#7f8b9a;fill:#7f8b9a}.mg .line{fill:none}}
"""


class Series(NamedTuple):
    """A line: y over x, with a band between `low` and `high` where they are given."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


class Dot(NamedTuple):
    """A row of a dot chart: a value with its interval (NaN where unknown)."""

    name: str
    value: float
    low: float
    high: float
    said: str  # the value as text
    strong: bool = False


class Panel(NamedTuple):
    """Rows of a dot chart under one heading."""

    title: str
    dots: Sequence[Dot]


class Scale(NamedTuple):
    """A linear map from data [low, high] to the picture [start, end]."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def line_chart(series: Sequence[Series], *, title: str, x: str, y: str, height: int = 260) -> str:
    """Return lines over common axes, named at the top; series without points are left out.

    An empty text when no series has a point.
    """
    shown = [_finite(one) for one in series]
    shown = [one for one in shown if one.x]
    if not shown:
        return ""
    across = [value for one in shown for value in one.x]
    up = [value for one in shown for values in (one.y, one.low, one.high) for value in values]
    xs, ys = ticks(min(across), max(across)), ticks(min(up), max(up))
    named = len(shown) > 1
    right = _scale(across, xs, 46, WIDTH - 14)
    top = _scale(up, ys, height - 42, 50 if named else 32)
    parts = [_text(0, 14, title, "title"), *_legend(shown if named else ())]
    parts += [*_y_axis(ys, top, (46, WIDTH - 14)), *_x_axis(xs, right, height - 42), _text(46, height - 4, x)]
    parts.append(_text(46, 28 + 18 * named - 4, y) if y else "")
    for number, one in enumerate(shown):
        parts += _line(one, right, top, f"s{number % 4}")
    return _picture(parts, height, title)


def dot_chart(panels: Sequence[Panel], *, title: str, x: str) -> str:
    """Return one row a dot, grouped in panels over a common axis, with the values written at the right.

    An empty text when no panel has a dot.
    """
    dots = [dot for panel in panels for dot in panel.dots]
    ends = [v for dot in dots for v in (dot.value, dot.low, dot.high) if isfinite(v)]
    if not ends:
        return ""
    names = 7.8 * max(len(dot.name) for dot in dots) + 8
    values = 6.4 * max(len(dot.said) for dot in dots) + 6
    marks = ticks(min(ends), max(ends))
    scale = _scale(ends, marks, names + 6, WIDTH - values - 12)
    parts: list[str] = [_text(0, 14, title, "title")]
    place = 22
    for panel in (panel for panel in panels if panel.dots):
        start = place + 22
        parts.append(_text(0, place + 14, panel.title, "strong"))
        parts += [_rule(scale(m), start, scale(m), start + 22 * len(panel.dots), "grid") for m in marks]
        for number, dot in enumerate(panel.dots):
            parts += _dot(dot, scale, start + 22 * number + 11)
        place = start + 22 * len(panel.dots) + 4
    parts += [_text(scale(m), place + 12, label(m, marks), anchor="middle") for m in marks]
    parts.append(_text(scale.start, place + 28, x))
    return _picture(parts, place + 34, title)


def ticks(low: float, high: float, *, about: int = 5) -> list[float]:
    """Return round numbers, 1, 2 or 5 times a power of ten apart, from at most `low` to at least `high`."""
    if not high > low:
        pad = abs(low) * 0.1 or 0.5
        low, high = low - pad, high + pad
    rough = (high - low) / about
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = floor(low / step + 1e-9)
    count = 1
    while (first + count) * step < high - 1e-9 * step:
        count += 1
    return [round((first + n) * step, 12) for n in range(count + 1)]


def label(value: float, among: Sequence[float]) -> str:
    """Return a tick's text with as many decimals as the distance of the ticks needs."""
    step = abs(among[1] - among[0]) if len(among) > 1 else 1.0
    return f"{value:,.{max(0, -floor(log10(step) + 1e-9))}f}"


def _scale(values: Sequence[float], marks: Sequence[float], start: float, end: float) -> Scale:
    return Scale(min(*values, *marks), max(*values, *marks), start, end)


def _finite(one: Series) -> Series:
    kept = [n for n, (x, y) in enumerate(zip(one.x, one.y, strict=True)) if isfinite(x) and isfinite(y)]
    rest = [[values[n] for n in kept] if values else [] for values in one[1:]]
    return Series(one.name, *rest)


def _line(one: Series, right: Scale, top: Scale, colour: str) -> Iterator[str]:
    if one.low and all(map(isfinite, (*one.low, *one.high))):
        there = [(right(x), top(v)) for x, v in zip(one.x, one.high, strict=True)]
        back = [(right(x), top(v)) for x, v in zip(one.x, one.low, strict=True)]
        yield f'<polygon class="band {colour}" points="{_points([*there, *back[::-1]])}"/>'
    places = [(right(x), top(y)) for x, y in zip(one.x, one.y, strict=True)]
    yield f'<polyline class="line {colour}" points="{_points(places)}"/>'
    if len(places) <= 30:
        yield from (f'<circle class="{colour}" cx="{px:.1f}" cy="{py:.1f}" r="2.5"/>' for px, py in places)


def _dot(dot: Dot, scale: Scale, y: float) -> Iterator[str]:
    colour = "s0" if dot.strong else "other"
    yield _text(scale.start - 10, y + 4, dot.name, "strong" if dot.strong else "", anchor="end")
    if isfinite(dot.low) and isfinite(dot.high):
        yield _rule(scale(dot.low), y, scale(dot.high), y, f"bar {colour}")
    yield f'<circle class="{colour}" cx="{scale(dot.value):.1f}" cy="{y:.1f}" r="4"/>'
    yield _text(WIDTH - 2, y + 4, dot.said, "strong" if dot.strong else "", anchor="end")


def _legend(series: Sequence[Series]) -> Iterator[str]:
    place = 46.0
    for number, one in enumerate(series):
        yield _rule(place, 28, place + 16, 28, f"line s{number % 4}")
        yield _text(place + 21, 32, one.name)
        place += 40 + 6.6 * len(one.name)


def _y_axis(marks: Sequence[float], top: Scale, across: tuple[float, float]) -> Iterator[str]:
    for mark in marks:
        yield _rule(across[0], top(mark), across[1], top(mark), "grid")
        yield _text(across[0] - 8, top(mark) + 4, label(mark, marks), anchor="end")


def _x_axis(marks: Sequence[float], right: Scale, y: float) -> Iterator[str]:
    yield _rule(right.start, y, right.end, y, "axis")
    for mark in marks:
        yield _rule(right(mark), y, right(mark), y + 4, "axis")
        yield _text(right(mark), y + 18, label(mark, marks), anchor="middle")


def _picture(parts: Sequence[str], height: float, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="mg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}"><style>{STYLE}</style>{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, style: str = "", *, anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _rule(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
