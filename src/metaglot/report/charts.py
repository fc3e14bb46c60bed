"""The pictures of an evaluation and of a run: results in, SVG out; an empty text where there is nothing to draw."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import isfinite
from types import MappingProxyType
from typing import NamedTuple

from metaglot.choices import FAMILIES
from metaglot.evaluation.result import Result
from metaglot.evaluation.statistics import Interval, Ranking
from metaglot.metric import ACCURACY, ECE, Metric
from metaglot.report.comparison import Comparison
from metaglot.report.drawing import (
    Dot,
    Panel,
    Reliability,
    Series,
    dot_chart,
    line_chart,
    rank_chart,
    reliability_chart,
)
from metaglot.report.summary import cpu_seconds, has, macro, mean_ece, methods_of, metric_of, shots_of, tasks_of
from metaglot.report.wording import estimate, gained, subtraction, titled

POINTS = 150  # of a line, at most
LABEL_AXES = "across: probability of a label in % · up: texts that have it in %"
LEAST = 1e-4  # CPU seconds: what results are rounded to


class Curve(NamedTuple):
    """How a quantity is drawn over the steps of meta-training."""

    title: str
    kind: str  # of the records that hold it
    scale: float = 1.0
    banded: bool = False  # whether `ci95` of a record is the half width of its interval


def validation_curve(metric: Metric) -> Curve:
    """Return how the primary metric of validation tasks is drawn."""
    unit = f", {metric.unit}" if metric.unit else ""
    return Curve(
        f"{metric.heading} on validation tasks{unit}{metric.direction}", "validation", metric.scale, banded=True
    )


CURVES: Mapping[str, Curve] = MappingProxyType(
    {
        ACCURACY.name: validation_curve(ACCURACY),
        "loss": Curve("Meta-training loss, nats", "step"),
        "domain_loss": Curve("Loss on other text of the domain, adapted, nats a token", "step"),
        "plain_loss": Curve("Loss of the plain objective, nats a token", "step"),
        "perplexity": Curve("Perplexity of held-out text", "validation"),
    }
)


def method_chart(results: Sequence[Result]) -> str:
    """Return the macro mean of each method with its 95 % interval over draws, a panel for each shot."""
    metric = metric_of(results)
    panels = [Panel(_shots(shot), _dots(results, shot)) for shot in shots_of(results)]
    x = f"{metric.axis}{metric.direction}, with 95 % intervals over draws"
    return dot_chart(panels, title=f"{metric.heading}, {_of(results)}", x=x)


def shots_chart(results: Sequence[Result]) -> str:
    """Return the macro mean of each method over the number of shots; nothing for a single number."""
    shots = [float(shot) for shot in shots_of(results)]
    if len(shots) < 2:
        return ""
    series = [
        _series(results, method, [(float(shot), shot) for shot in shots_of(results)]) for method in styles(results)
    ]
    return line_chart(
        series,
        title=f"{titled(metric_of(results))}, {_of(results)}",
        x=support_axis(results),
        log=True,
        marks=shots,
    )


def cpu_chart(results: Sequence[Result]) -> str:
    """Return the macro mean of each method over its CPU seconds, a point for each number of shots."""
    series: list[Series] = []
    for method in styles(results):
        spent = [(cpu_seconds(results, shot, method), shot) for shot in shots_of(results)]
        series.append(_series(results, method, [(max(LEAST, s), shot) for s, shot in spent if s is not None]))
    bare = [one._replace(low=(), high=()) for one in series]
    title = f"{titled(metric_of(results))} against cost"
    return line_chart(bare, title=title, x="CPU seconds to learn a task, median", log=True)


def difference_chart(found: Sequence[Comparison]) -> str:
    """Return what ours gains over each baseline, a panel for each shot; thick over draws, thin over tasks and draws.

    What lies to the right of zero is better, also where less is better.
    """
    single = [c for c in found if c.single]
    panels: list[Panel] = []
    for shot in dict.fromkeys(c.shot for c in single):
        here = sorted((c for c in single if c.shot == shot), key=lambda c: c.draws.mean)
        panels.append(Panel("all shots" if shot is None else _shots(shot), [_difference(c) for c in here]))
    ours, metric = (found[0].ours, found[0].metric) if found else ("ours", ACCURACY)
    return dot_chart(panels, title=subtraction(metric, ours, "each baseline"), x=metric.gain_title, zero=True)


def ranking_chart(found: Ranking | None) -> str:
    """Return the critical-difference diagram."""
    if found is None:
        return ""
    strong = next((method for method in found.methods if method.startswith("ours-")), "")
    title = f"Mean ranks over {found.tasks} tasks, 1 is best"
    return rank_chart(
        found.methods, found.ranks, critical=found.critical, groups=found.cliques, title=title, strong=strong
    )


def calibration_chart(results: Sequence[Result]) -> str:
    """Return a reliability diagram for each method, over all its predictions; error by shots without their bins."""
    if results and all(result.bins for result in results):
        shown = [_reliability(results, method, style) for method, style in styles(results).items()]
        if all(FAMILIES.exclusive(result.kind) for result in results):
            return reliability_chart(shown, title="Are confident predictions right?")
        return reliability_chart(shown, title="Are probable labels there?", axes=LABEL_AXES)
    if not any(has(result, ECE) for result in results):
        return ""
    shots = shots_of(results)
    series: list[Series] = []
    for method, style in styles(results).items():
        errors = [(float(shot), mean_ece(results, shot, method)) for shot in shots]
        known = [(x, ECE.scale * error) for x, error in errors if error is not None]
        series.append(Series(method, [x for x, _ in known], [y for _, y in known], style=style))
    marks = [float(shot) for shot in shots]
    return line_chart(series, title="Calibration error in %", x=support_axis(results), log=True, marks=marks)


def support_axis(results: Sequence[Result]) -> str:
    """Return what shots are: "support examples a class"; of several kinds of tasks "support examples"."""
    each = {FAMILIES[result.kind]().each if result.kind in FAMILIES else "" for result in results}
    return f"support examples {each.pop() if len(each) == 1 else ''}".strip()


def curve_chart(curve: Sequence[Mapping[str, object]], name: str = ACCURACY.name) -> str:
    """Return `name` over `step`, from the records that have both.

    Records as in `metrics.jsonl`: those with a `kind` count only if it is the curve's own (accuracy: validation,
    loss: step); `ci95`, the half width of an interval of the accuracy, becomes a band.  More than 150 points are
    averaged in groups.
    """
    return curves_chart({"": curve}, name)


def validation_chart(runs: Mapping[str, Sequence[Mapping[str, object]]], metric: Metric) -> str:
    """Return the same of the primary metric of the validation tasks of several runs, by their names."""
    return curves_chart(runs, metric.name, validation_curve(metric))


def curves_chart(
    runs: Mapping[str, Sequence[Mapping[str, object]]], name: str = ACCURACY.name, curve: Curve | None = None
) -> str:
    """Return the same of several runs, by their names; `curve` is how it is drawn, if CURVES does not say."""
    drawn = curve or CURVES.get(name, Curve(name, ""))
    series = [_curve(records, name, drawn)._replace(name=run, style=n) for n, (run, records) in enumerate(runs.items())]
    return line_chart(series, title=drawn.title, x="step", height=270)


def styles(results: Sequence[Result]) -> dict[str, int]:
    """Return each method's colour and marker, the same in every picture: ours first."""
    methods = sorted(methods_of(results), key=lambda method: not method.startswith("ours-"))
    return {method: number for number, method in enumerate(methods)}


def _series(results: Sequence[Result], method: str, places: Sequence[tuple[float, int]]) -> Series:
    """Return the macro means as they are shown at places (x, shot), those without one left out."""
    metric = metric_of(results)
    found = [(x, shot, macro(results, shot, method)) for x, shot in places]
    known = [(x, shot, i) for x, shot, i in found if i is not None]
    x, scaled = [x for x, _, _ in known], [_scaled(metric, i) for _, _, i in known]
    y, low, high = [i.mean for i in scaled], [i.low for i in scaled], [i.high for i in scaled]
    says = [f"{method}, {_shots(shot)}: {estimate(metric, i)}" for _, shot, i in known]
    return Series(method, x, y, low, high, styles(results)[method], says)


def _curve(records: Sequence[Mapping[str, object]], name: str, drawn: Curve) -> Series:
    own = [record for record in records if record.get("kind", drawn.kind) == drawn.kind]
    found = [(_number(record, "step"), _number(record, name), _number(record, "ci95")) for record in own]
    kept = [(x, y * drawn.scale, half * drawn.scale) for x, y, half in found if isfinite(x) and isfinite(y)]
    x, y, half = ([row[n] for row in kept] for n in range(3))
    banded = drawn.banded and all(map(isfinite, half))
    low = [value - width for value, width in zip(y, half, strict=True)] if banded else []
    high = [value + width for value, width in zip(y, half, strict=True)] if banded else []
    return Series("", _thinned(x), _thinned(y), _thinned(low), _thinned(high))


def _reliability(results: Sequence[Result], method: str, style: int) -> Reliability:
    size, confidence, right = defaultdict[int, int](int), defaultdict[int, float](float), defaultdict[int, int](int)
    for one in (one for result in results if result.method == method for one in result.bins):
        size[one.number] += one.size
        confidence[one.number] += one.confidence
        right[one.number] += one.right
    order = sorted(size)
    errors = [result.metrics[ECE.name] for result in results if result.method == method and has(result, ECE)]
    return Reliability(
        method,
        [confidence[n] / size[n] for n in order],
        [right[n] / size[n] for n in order],
        [size[n] for n in order],
        f"error {ECE.format_with_unit(sum(errors) / len(errors))}" if errors else "",
        style,
    )


def _difference(c: Comparison) -> Dot:
    inner, outer = (_scaled(c.metric, i) for i in (c.draws, c.tasks))
    name = subtraction(c.metric, "", c.against, minus=" − ").strip()
    return Dot(name, inner.mean, inner.low, inner.high, gained(c.metric, c.draws), outer=(outer.low, outer.high))


def _scaled(metric: Metric, interval: Interval) -> Interval:
    """Return the interval in the unit in which it is shown."""
    scale = metric.scale
    return Interval(scale * interval.mean, scale * interval.low, scale * interval.high, interval.n)


def _number(record: Mapping[str, object], name: str) -> float:
    value = record.get(name)
    return float(value) if isinstance(value, int | float) else float("nan")


def _dots(results: Sequence[Result], shot: int) -> list[Dot]:
    metric = metric_of(results)
    means = {method: macro(results, shot, method) for method in methods_of(results)}
    found = [(method, i, _scaled(metric, i)) for method, i in means.items() if i is not None]
    return [
        Dot(method, one.mean, one.low, one.high, estimate(metric, i), method.startswith("ours-"))
        for method, i, one in found
    ]


def _shots(shot: int) -> str:
    return f"{shot} shot{'s' * (shot > 1)}"


def _of(results: Sequence[Result]) -> str:
    tasks = tasks_of(results)
    return f"mean of {len(tasks)} tasks" if len(tasks) > 1 else tasks[0] if tasks else "no tasks"


def _thinned(values: list[float]) -> list[float]:
    size = -(-len(values) // POINTS)
    if size <= 1:
        return values
    groups = [values[start : start + size] for start in range(0, len(values), size)]
    return [sum(group) / len(group) for group in groups]
