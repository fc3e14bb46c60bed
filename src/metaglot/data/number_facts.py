"""A look at numbers: how many, where they lie, and how they are spread."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from metaglot.data.labels import Label
from metaglot.data.number_cells import number_of
from metaglot.data.target_facts import Facts, Grid

BARS = 10  # of the histogram
WIDTH = 30  # signs of the longest bar


def number_facts(cells: Sequence[Label | None], name: Callable[[int], str]) -> Facts:
    """Return the facts; raise MetaglotError for a cell that holds no number."""
    own = [number_of(cell, name(row)) for row, cell in enumerate(cells)]
    numbers = np.array([number for number in own if number is not None], np.float64)
    missing = len(own) - len(numbers)
    if not len(numbers):
        return Facts(own, [("numbers", "none"), ("without a number", f"{missing:,}")], {"numbers": {"n": 0}})
    low, first, middle, third, high = map(float, np.quantile(numbers, [0, 0.25, 0.5, 0.75, 1]))
    mean, spread, different = float(numbers.mean()), float(numbers.std()), len(np.unique(numbers))
    counts, edges = _histogram(numbers)
    bars = [
        {"from": float(a), "to": float(b), "rows": int(n)} for a, b, n in zip(edges, edges[1:], counts, strict=False)
    ]
    return Facts(
        own,
        [
            ("numbers", f"{len(numbers):,}, {different:,} different"),
            ("mean and spread", f"{mean:.6g} ± {spread:.6g} (standard deviation)"),
            ("least and most", f"{low:.6g} and {high:.6g}"),
            ("quartiles", f"{first:.6g}, {middle:.6g}, {third:.6g}"),
            ("without a number", f"{missing:,}"),
        ],
        {
            "numbers": {
                "n": len(numbers),
                "different": different,
                "missing": missing,
                "mean": mean,
                "spread": spread,
                "min": low,
                "quartiles": [first, middle, third],
                "max": high,
                "histogram": bars,
            }
        },
        [Grid("Numbers", ("from", "to", "rows", ""), tuple(map(_bar, bars, [max(counts)] * len(bars))))],
        ["all numbers are the same: there is nothing to learn"] if different == 1 else [],
        "with unlike numbers",
    )


def level_facts(cells: Sequence[Label | None], name: Callable[[int], str]) -> Facts:
    """Return the facts of numbers that are levels, with how many rows each level has in place of a histogram."""
    facts = number_facts(cells, name)
    numbers = [number for row, cell in enumerate(cells) if (number := number_of(cell, name(row))) is not None]
    counts = Counter(numbers)
    levels = [{"level": level, "rows": counts[level]} for level in sorted(counts)]
    plain = {**facts.plain["numbers"], "levels": levels}
    plain.pop("histogram", None)
    rows = [(f"{one['level']:.6g}", f"{one['rows']:,}", _signs(one["rows"], max(counts.values()))) for one in levels]
    return facts._replace(plain={"numbers": plain}, grids=[Grid("Levels", ("level", "rows", ""), tuple(rows))])


def _histogram(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return counts [n] and edges [n + 1]: of as many bars as there are numbers, at most BARS."""
    values = np.unique(numbers)
    return np.histogram(numbers, bins=min(BARS, len(values)))


def _bar(one: dict[str, float], most: int) -> tuple[str, ...]:
    return (f"{one['from']:.4g}", f"{one['to']:.4g}", f"{one['rows']:,}", _signs(one["rows"], most))


def _signs(rows: float, most: float) -> str:
    return "█" * round(WIDTH * rows / most) or ("▏" if rows else "")
