"""The sizes that `benchmarks.scaling` measures, what was measured of them, and the model that is fitted to that."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.scaling_model import Fitted, Point, Size, fit

FITTED = (
    Size(2, 128, 8000, 20, 20, 32, 2, 4),
    Size(4, 128, 8000, 20, 20, 32, 2, 2),
    Size(2, 256, 8000, 10, 20, 32, 2, 4),
    Size(2, 256, 30522, 20, 10, 32, 2, 2),
    Size(4, 256, 8000, 20, 20, 16, 2, 2),
    Size(4, 256, 30522, 20, 20, 32, 2, 2),
)
CHECKED = (
    Size(4, 192, 16000, 16, 24, 24, 2, 3),
    Size(6, 256, 16000, 20, 20, 32, 2, 2),
    Size(6, 384, 30522, 20, 20, 32, 2, 2),
    Size(3, 320, 20000, 15, 15, 40, 2, 3),
    Size(8, 384, 8000, 10, 10, 48, 2, 1),
)
TWO = tuple(size._replace(episodes=4) for size in (FITTED[2], CHECKED[0], FITTED[5]))
LATER = CHECKED[-2:]  # measured when the form of the model stood
LARGE = (  # models people use, for the extrapolation; an episode a step
    Size(6, 384, 30522, 25, 25, 64, 2, 1),
    Size(12, 768, 30522, 25, 25, 64, 2, 1),
)


def read(out: Path) -> Iterator[dict[str, Any]]:
    """Yield what was measured."""
    for line in (out / "steps.jsonl").read_text().splitlines():
        yield json.loads(line)


def points(out: Path) -> dict[Size, Point]:
    """Return the points of one rank: the least CPU seconds and the first peak of memory."""
    found: dict[Size, Point] = {}
    for line in read(out):
        size = Size(*line["size"])
        if line["ranks"] == 1:
            rest = line["cpu_seconds"] - line["compute_cpu"]
            point = found.get(size, Point(size, line["compute_cpu"], rest, line["peak"]))
            found[size] = point._replace(compute=min(point.compute, line["compute_cpu"]), rest=min(point.rest, rest))
    return found


def fitted(out: Path) -> Fitted:
    """Return the model, fitted to the sizes that are for that."""
    known = points(out)
    return fit([known[size] for size in FITTED])
