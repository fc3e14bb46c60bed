"""Power laws through the losses of a curve, its table and its pictures.

    L(C) = a · C^−b        the least loss over sizes after C CPU seconds (Kaplan et al. 2020, arXiv:2001.08361)

Without the floor E of L = E + … (Hoffmann et al. 2022, arXiv:2203.15556), which a curve as short as this cannot tell:
what the law foresees is in favour of training longer.  chrF is taken to be a line over the loss.  What is foreseen has
as range the least and the most that comes of leaving out one point.
"""

from collections.abc import Iterator, Sequence
from math import exp, inf, isfinite, log, log10, nan
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from metaglot.report.drawing import Series, line_chart

LARGEST = 700.0  # of what e is raised to
Row = dict[str, Any]
Points = Sequence[tuple[float, float]]


class Law(NamedTuple):
    """y = scale · x^−exponent."""

    scale: float
    exponent: float

    def x_of(self, y: float) -> float:
        """Return where the law has this value; infinity where it does not fall, or where y is no loss."""
        if y <= 0 or self.exponent <= 0:
            return inf
        power = log(self.scale / y) / self.exponent
        return exp(power) if power < LARGEST else inf


def power_law(points: Points) -> Law:
    """Return the law of least squares of logarithms."""
    slope, at_one = line_through([(log(x), log(y)) for x, y in points])
    return Law(exp(at_one), -slope)


def line_through(points: Points) -> tuple[float, float]:
    """Return slope and height at zero of the line of least squares."""
    x, y = np.array(points, float).T
    slope, height = np.polyfit(x, y, 1)
    return float(slope), float(height)


def frontier(rows: Sequence[Row], text: str) -> list[tuple[float, float]]:
    """Return (CPU seconds, least loss over sizes) at each stop."""
    own = [row for row in rows if row["text"] == text]
    best = [min((r for r in own if r["stop"] == stop), key=lambda r: r["loss"]) for stop in sorted(_stops(own))]
    return [(row["cpu"], row["loss"]) for row in best]


def loss_at(rows: Sequence[Row], chrf: float) -> float:
    """Return the loss at which the line of chrF over the loss, through all cells, has this value."""
    cells = [(row["loss"], fmean(row["chrf"].values())) for row in rows if "chrf" in row]
    if len(cells) < 2:
        return nan
    slope, height = line_through(cells)
    return (chrf - height) / slope


def foreseen(points: Points, loss: float) -> tuple[float, float, float]:
    """Return the CPU seconds to a loss, and the least and the most of them with one point left out."""
    others = [[*points[:i], *points[i + 1 :]] for i in range(len(points))] if len(points) > 2 else [points]
    seconds = [power_law(some).x_of(loss) for some in others]
    return power_law(points).x_of(loss), min(seconds), max(seconds)


def lines_of(rows: Sequence[Row], copies: Sequence[Row]) -> Iterator[str]:
    """Yield the tables: what copying gives, each cell, and the laws."""
    yield "| language | " + " | ".join("copied: chrF" for _ in copies[0]["copied"]) + " |"
    yield "|---|" + "---:|" * len(copies[0]["copied"])
    for row in copies:
        yield f"| {row['language']} | " + " | ".join(f"{n} {v:.1f}" for n, v in row["copied"].items()) + " |"
    yield from ("", "| text | pairs | size | steps | passes | learnt | " + " | ".join(_heads(rows)) + " | chrF |")
    yield "|---|---:|---|---:|---:|---:|" + "---:|" * (len(_stops(rows)) + 1)
    for last in (row for row in rows if "chrf" in row):
        own = [row for row in rows if (row["text"], row["size"]) == (last["text"], last["size"])]
        losses = {row["stop"]: f"{row['loss']:.2f}" for row in own}
        shown = " | ".join(losses.get(stop, "") for stop in sorted(_stops(rows)))
        scores = ", ".join(f"{value:.1f}" for value in last["chrf"].values())
        passes = last["steps"] * last["batch"] / last["pairs"]
        yield (
            f"| {last['text']} | {last['pairs']:,} | {last['size']} | {last['steps']} | {passes:.1f} | "
            f"{last['train']:.2f} | {shown} | {scores} |"
        )
    yield from ("", *_laws(rows, copies))


def picture_of(rows: Sequence[Row]) -> str:
    """Return the loss over CPU seconds on the largest text, a line for each size."""
    text = max(rows, key=lambda row: row["pairs"])["text"]
    lines: list[Series] = []
    for style, size in enumerate(dict.fromkeys(row["size"] for row in rows)):
        own = [row for row in rows if (row["text"], row["size"]) == (text, size)]
        lines.append(Series(size, [row["cpu"] for row in own], [row["loss"] for row in own], style=style))
    return line_chart(lines, title="Strings never seen: nats a token", x="CPU seconds of training", log=True)


def _laws(rows: Sequence[Row], copies: Sequence[Row]) -> Iterator[str]:
    wanted = [max(v for n, v in row["copied"].items() if n.startswith("nearest locale")) for row in copies]
    needed = loss_at(rows, fmean(wanted))
    yield f"copying the nearest locale: chrF {fmean(wanted):.1f}, a loss of {needed:.2f} by the line of chrF over it"
    for text in dict.fromkeys(row["text"] for row in rows):
        points = frontier(rows, text)
        law = power_law(points)
        yield f"{text}: {law.scale:.2f} · C^-{law.exponent:.3f}; CPU seconds to it: " + " to ".join(
            f"10^{log10(one):.1f}" if isfinite(one) and one > 0 else "never" for one in foreseen(points, needed)
        )


def _stops(rows: Sequence[Row]) -> set[float]:
    return {row["stop"] for row in rows}


def _heads(rows: Sequence[Row]) -> list[str]:
    return [f"{stop:g} s" for stop in sorted(_stops(rows))]
