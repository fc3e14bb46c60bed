"""Rows of the text benchmark as Markdown: accuracy, then what each arm gains, a column for each way of adapting."""

from collections.abc import Mapping, Sequence
from typing import Any

from metaglot.report.drawing import Dot, Panel, dot_chart

Row = Mapping[str, Any]

FOOT = (
    "Accuracy in %: the macro mean, ± half its 95 % interval over training seeds. Gains are paired, in points: [95 % "
    "over draws of the support set], (95 % over training seeds)."
)


def tables(rows: Sequence[Row], against: Sequence[str]) -> str:
    """Return accuracy and the gains over each of `against`, by group of tasks."""
    parts = []
    for group in dict.fromkeys(row["group"] for row in rows):
        mine = [row for row in rows if row["group"] == group]
        parts.append(f"**Accuracy on {group}**\n\n{_grid(mine, accuracy)}")
        for other in against:
            found = [row for row in mine if row["arm"] != other]
            if any(other in row["gain"] for row in found):
                parts.append(f"**Gain over {other} on {group}**\n\n{_grid(found, lambda row, o=other: gain(row, o))}")
    return "\n\n".join([*parts, FOOT])


def accuracy(row: Row) -> str:
    """Return the mean over tasks, draws and seeds."""
    half = "" if row["half_over_seeds"] is None else f" ± {100 * row['half_over_seeds']:.1f}"
    return f"{100 * row['mean']:.1f}{half}"


def gain(row: Row, other: str) -> str:
    """Return the gain over an arm with its intervals; empty where they were not judged on the same draws."""
    found = row["gain"].get(other)
    if found is None:
        return ""
    low, high = (100 * end for end in found["draws"])
    seeds = "" if found["seeds"] is None else " ({:+.1f}, {:+.1f})".format(*(100 * end for end in found["seeds"]))
    return f"{100 * found['mean']:+.1f} [{low:+.1f}, {high:+.1f}]{seeds}"


def gain_picture(rows: Sequence[Row], group: str, against: Sequence[str]) -> str:
    """Return what each arm gains over the first of `against` that was judged, with intervals over draws, as SVG."""
    mine = [row for row in rows if row["group"] == group]
    other = next((one for one in against if any(one in row["gain"] for row in mine)), "")
    panels = [
        Panel(
            f"{effort}, {shot} shots",
            [_dot(row, other) for row in mine if _way(row) == (effort, shot) and other in row["gain"]],
        )
        for effort, shot in sorted({_way(row) for row in mine})
    ]
    return dot_chart(panels, title=f"Gain over {other}, {group}", x="points, with 95 % intervals over draws", zero=True)


def _dot(row: Row, other: str) -> Dot:
    found = row["gain"][other]
    low, high = (100 * end for end in found["draws"])
    return Dot(row["arm"], 100 * found["mean"], low, high, f"{100 * found['mean']:+.1f}")


def _way(row: Row) -> tuple[str, int]:
    return row["effort"], row["shot"]


def _grid(rows: Sequence[Row], cell: Any) -> str:
    ways = sorted({_way(row) for row in rows})
    lines = [
        "| arm | " + " | ".join(f"{effort}, {shot}" for effort, shot in ways) + " |",
        "|---|" + "---:|" * len(ways),
    ]
    for arm in dict.fromkeys(row["arm"] for row in rows):
        found = {_way(row): cell(row) for row in rows if row["arm"] == arm}
        lines.append("| " + " | ".join([arm, *(found.get(way, "") for way in ways)]) + " |")
    return "\n".join(lines)
