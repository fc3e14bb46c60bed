"""Axes: the places of values, and round numbers as marks."""

from collections.abc import Iterator, Sequence
from math import ceil, floor, log10
from typing import NamedTuple

from metaglot.report.drawing.svg import rule, text


class Scale(NamedTuple):
    """A map from data [low, high] to the picture [start, end], linear or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        low, high, at = (log10(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (at - low) / (high - low) * (self.end - self.start)


def scale(values: Sequence[float], marks: Sequence[float], start: float, end: float, *, log: bool = False) -> Scale:
    """Return the scale that holds all values and marks."""
    low, high = min(*values, *marks), max(*values, *marks)
    if not high > low:
        low, high = (low / 2, high * 2) if log else (low - 0.5, high + 0.5)
    return Scale(low, high, start, end, log)


def ticks(low: float, high: float, *, target_count: int = 5) -> list[float]:
    """Return round numbers, 1, 2 or 5 times a power of ten apart, from at most `low` to at least `high`."""
    if not high > low:
        pad = abs(low) * 0.1 or 0.5
        low, high = low - pad, high + pad
    rough = (high - low) / target_count
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = floor(low / step + 1e-9)
    count = 1
    while (first + count) * step < high - 1e-9 * step:
        count += 1
    return [round((first + n) * step, 12) for n in range(count + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return powers of ten from at most `low` to at least `high`, both above zero."""
    first, last = floor(log10(low) + 1e-9), ceil(log10(high) - 1e-9)
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def label(value: float, among: Sequence[float]) -> str:
    """Return the text of a tick; the distance of the ticks decides the number of decimals."""
    step = abs(among[1] - among[0]) if len(among) > 1 else 1.0
    return f"{value:,.{max(0, -floor(log10(step) + 1e-9))}f}"


def log_label(value: float) -> str:
    """Return a number of a logarithmic axis: 0.01, 1, 100."""
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def y_axis(marks: Sequence[float], top: Scale, across: tuple[float, float]) -> Iterator[str]:
    """Yield lines across the picture, with their numbers on the left."""
    for mark in marks:
        yield rule(across[0], top(mark), across[1], top(mark), "grid")
        yield text(across[0] - 8, top(mark) + 4, label(mark, marks), anchor="end")


def x_axis(marks: Sequence[float], right: Scale, y: float) -> Iterator[str]:
    """Yield the line at the bottom, with its marks and numbers."""
    yield rule(right.start, y, right.end, y, "axis")
    for mark in marks:
        yield rule(right(mark), y, right(mark), y + 4, "axis")
        content = log_label(mark) if right.log else label(mark, marks)
        yield text(right(mark), y + 18, content, anchor="middle")
