"""A table of numbers as shaded cells: rates by layer and step."""

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import NamedTuple

from metaglot.report.drawing.svg import WIDTH, picture, shorten, text, width_of

ROW, MAX_NAME_WIDTH, MAX_WRITTEN_COLUMNS = 22, 160.0, 5  # WRITTEN: columns, at most, whose cells hold their number


class Cells(NamedTuple):
    """Rows of numbers, each with a name; all of one length (NaN where a value is missing)."""

    names: Sequence[str]
    rows: Sequence[Sequence[float]]
    columns: Sequence[str]


def cell_chart(cells: Cells, *, title: str, x: str) -> str:
    """Return the cells, darker for larger values; an empty text if there are no values."""
    values = [value for row in cells.rows for value in row if isfinite(value)]
    if not values:
        return ""
    left = min(MAX_NAME_WIDTH, max(width_of(name) for name in cells.names) + 10)
    width = (WIDTH - left) / len(cells.columns)
    stride = -(-34 // int(max(1, width)))  # names of columns must not touch
    parts = [text(0, 14, title, "title"), text(WIDTH, 34, x, anchor="end")]
    for number, column in enumerate(cells.columns):
        parts.append(text(left + width * (number + 0.5), 52, column, anchor="middle") if number % stride == 0 else "")
    for number, (name, row) in enumerate(zip(cells.names, cells.rows, strict=True)):
        y = 60 + ROW * number
        parts.append(text(left - 8, y + 15, shorten(name, left - 8), anchor="end"))
        parts += _row(row, (left, y, width), (min(values), max(values)))
    return picture(parts, 66 + ROW * len(cells.rows), title, description=f"{min(values):.3g} to {max(values):.3g}")


def _row(row: Sequence[float], place: tuple[float, float, float], span: tuple[float, float]) -> Iterator[str]:
    left, y, width = place
    for number, value in enumerate(row):
        if not isfinite(value):
            continue
        share = (value - span[0]) / (span[1] - span[0]) if span[1] > span[0] else 0.5
        x, shade = left + width * number, 0.06 + 0.5 * share
        yield f'<rect class="cell" x="{x + 0.5:.1f}" y="{y}" width="{max(1.0, width - 1):.1f}" height="{ROW - 1}" '
        yield f'opacity="{shade:.2f}"/>'
        if len(row) <= MAX_WRITTEN_COLUMNS:
            yield text(x + width / 2, y + 15, f"{value:.2g}", "cellsays", anchor="middle")
