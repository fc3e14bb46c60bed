"""The pictures of an evaluation: accuracy by method and shots, and the learning curve."""

from collections.abc import Mapping, Sequence

from metaglot.evaluation.grids import percent
from metaglot.evaluation.store import Result
from metaglot.evaluation.summary import macro, methods_of, shots_of, tasks_of
from metaglot.evaluation.svg import Dot, Panel, Series, dot_chart, line_chart

POINTS = 150  # of a line, at most
TITLES = {"accuracy": ("Accuracy on held-out tasks, %", 100.0), "loss": ("Meta-training loss, nats", 1.0)}


def method_chart(results: Sequence[Result]) -> str:
    """Return an SVG: the macro mean of each method with its 95 % interval over draws, a panel for each shot."""
    panels = [Panel(f"{shot} shot{'s' * (shot > 1)}", _dots(results, shot)) for shot in shots_of(results)]
    tasks = len(tasks_of(results))
    what = f"mean of {tasks} tasks" if tasks > 1 else tasks_of(results)[0] if tasks else "no tasks"
    title = f"Accuracy, {what}"
    return dot_chart(panels, title=title, x="accuracy in %, with 95 % intervals over draws")


def curve_chart(curve: Sequence[Mapping[str, object]], name: str = "accuracy") -> str:
    """Return an SVG of `name` over `step`, from the records that have both; an empty text when none has.

    A record may give `<name>_low` and `<name>_high` for a band.  More than 150 points are averaged in groups.
    """
    band = (name, f"{name}_low", f"{name}_high")
    rows = [[record.get(key) for key in ("step", *band)] for record in curve]
    full = [row for row in rows if all(isinstance(value, int | float) for value in row)]
    part = [row[:2] for row in rows if all(isinstance(value, int | float) for value in row[:2])]
    chosen = full if full and len(full) == len(part) else part
    columns = [_thinned([float(str(row[n])) for row in chosen]) for n in range(len(chosen[0]) if chosen else 0)]
    title, scale = TITLES.get(name, (name, 1.0))
    across, up = columns[:1], [[value * scale for value in column] for column in columns[1:]]
    return line_chart([Series(title, *across, *up)] if columns else [], title=title, x="step", y="")


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
