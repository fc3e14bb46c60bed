"""The critical-difference diagram: mean ranks on a line, and bars over methods that do not differ surely.

Demšar 2006, https://jmlr.org/papers/v7/demsar06a.html, figure 1.
"""

from collections.abc import Iterator, Sequence
from math import ceil, floor

from metaglot.report.drawing.axes import Scale
from metaglot.report.drawing.svg import WIDTH, picture, rule, shorten, text, width_of

ROW, AXIS, BAR = 22, 74, 9


def rank_chart(
    names: Sequence[str],
    ranks: Sequence[float],
    *,
    critical: float,
    groups: Sequence[tuple[int, int]],
    title: str,
    strong: str = "",
) -> str:
    """Return the diagram of methods in ascending order of mean rank, the best at the left.

    `groups` holds first and last place of groups that do not differ surely; `strong` is the name in bold.
    """
    half = (len(names) + 1) // 2
    labels = [f"{rank:.2f}  {name}" for name, rank in zip(names, ranks, strict=True)]
    room = min(150.0, max(width_of(one) for one in labels) + 10)
    low, high = floor(ranks[0]), max(ceil(ranks[-1]), floor(ranks[0]) + 1)
    right = Scale(low, high, room + 6, WIDTH - room - 6)
    foot = AXIS + 10 + BAR * len(groups)
    parts = [text(0, 14, title, "title"), *_axis(right, critical)]
    for number, (first, last) in enumerate(groups):
        y = AXIS + 9 + BAR * number
        parts.append(rule(right(ranks[first]) - 4, y, right(ranks[last]) + 4, y, "clique"))
    for number, (name, rank) in enumerate(zip(names, ranks, strict=True)):
        left = number < half
        y = foot + 12 + ROW * (number if left else len(names) - 1 - number)
        parts += _arm(shorten(name, room - width_of("0.00  ") - 4), rank, right, y, left=left, strong=name == strong)
    rank_list = ", ".join(f"{name} {rank:.2f}" for name, rank in zip(names, ranks, strict=True))
    return picture(
        parts, foot + 14 + ROW * half, title, description=f"Mean ranks: {rank_list}; critical difference {critical:.2f}"
    )


def _axis(right: Scale, critical: float) -> Iterator[str]:
    """Yield the line of ranks, and above it the critical difference."""
    end = right.start + critical * (right.end - right.start) / (right.high - right.low)
    if end < WIDTH - 60:
        yield rule(right.start, 36, end, 36, "clique thin")
        yield from (rule(x, 32, x, 40, "clique thin") for x in (right.start, end))
        yield text(end + 8, 40, f"CD {critical:.2f}")
    else:
        yield text(right.start, 40, f"critical difference {critical:.2f}: wider than the axis")
    yield rule(right.start, AXIS, right.end, AXIS, "axis")
    for rank in range(int(right.low), int(right.high) + 1):
        yield rule(right(rank), AXIS - 5, right(rank), AXIS, "axis")
        yield text(right(rank), AXIS - 10, str(rank), anchor="middle")


def _arm(name: str, rank: float, right: Scale, y: float, *, left: bool, strong: bool) -> Iterator[str]:
    """Yield the line from a rank to its name."""
    colour, weight = ("line s0", "strong") if strong else ("axis", "")
    side = right.start - 6 if left else right.end + 6
    yield rule(right(rank), AXIS, right(rank), y, colour)
    yield rule(min(side, right(rank)), y, max(side, right(rank)), y, colour)
    labels = f"{name}  {rank:.2f}" if left else f"{rank:.2f}  {name}"
    yield text(side + (-4 if left else 4), y + 4, labels, weight, anchor="end" if left else "start")
