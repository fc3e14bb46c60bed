"""The pictures of an evaluation: accuracy by method and shots, and the learning curve."""

from collections.abc import Mapping, Sequence
from math import isfinite
from types import MappingProxyType
from typing import NamedTuple

from metaglot.evaluation.grids import percent
from metaglot.evaluation.store import Result
from metaglot.evaluation.summary import macro, methods_of, shots_of, tasks_of
from metaglot.evaluation.svg import Dot, Panel, Series, dot_chart, line_chart

POINTS = 150  # of a line, at most


class Curve(NamedTuple):
    """How a quantity is drawn over the steps of meta-training."""

    title: str
    kind: str  # of the records that hold it
    scale: float = 1.0


CURVES: Mapping[str, Curve] = MappingProxyType(
    {
        "accuracy": Curve("Accuracy on held-out tasks, %", "validation", 100.0),
        "loss": Curve("Meta-training loss, nats", "step"),
    }
)


def method_chart(results: Sequence[Result]) -> str:
    """Return an SVG: the macro mean of each method with its 95 % interval over draws, a panel for each shot."""
    panels = [Panel(f"{shot} shot{'s' * (shot > 1)}", _dots(results, shot)) for shot in shots_of(results)]
    tasks = len(tasks_of(results))
    what = f"mean of {tasks} tasks" if tasks > 1 else tasks_of(results)[0] if tasks else "no tasks"
    title = f"Accuracy, {what}"
    return dot_chart(panels, title=title, x="accuracy in %, with 95 % intervals over draws")


def curve_chart(curve: Sequence[Mapping[str, object]], name: str = "accuracy") -> str:
    """Return an SVG of `name` over `step`, from the records that have both; an empty text when none has.

    Records as in `metrics.jsonl`: those with a `kind` count only if it is the curve's own (accuracy: validation,
    loss: step); `ci95`, the half width of an interval of the accuracy, becomes a band.  More than 150 points are
    averaged in groups.
    """
    drawn = CURVES.get(name, Curve(name, ""))
    own = [record for record in curve if record.get("kind", drawn.kind) == drawn.kind]
    points = [(_number(record, "step"), _number(record, name), _number(record, "ci95")) for record in own]
    kept = [(x, y * drawn.scale, half * drawn.scale) for x, y, half in points if isfinite(x) and isfinite(y)]
    if not kept:
        return ""
    x, y, half = ([row[n] for row in kept] for n in range(3))
    banded = name == "accuracy" and all(map(isfinite, half))
    low = [value - width for value, width in zip(y, half, strict=True)] if banded else []
    high = [value + width for value, width in zip(y, half, strict=True)] if banded else []
    series = Series(drawn.title, *map(_thinned, (x, y, low, high)))
    return line_chart([series], title=drawn.title, x="step", y="")


def _number(record: Mapping[str, object], name: str) -> float:
    value = record.get(name)
    return float(value) if isinstance(value, int | float) else float("nan")


def _dots(results: Sequence[Result], shot: int) -> list[Dot]:
    found = [(method, macro(results, shot, method)) for method in methods_of(results)]
    return [
        Dot(method, interval.mean * 100, interval.low * 100, interval.high * 100, percent(interval), _ours(method))
        for method, interval in found
        if interval is not None
    ]


def _ours(method: str) -> bool:
    return method.startswith("ours-")


def _thinned(values: list[float]) -> list[float]:
    size = -(-len(values) // POINTS)
    if size <= 1:
        return values
    groups = [values[start : start + size] for start in range(0, len(values), size)]
    return [sum(group) / len(group) for group in groups]
