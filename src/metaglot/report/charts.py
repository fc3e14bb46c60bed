"""The charts of an evaluation and of a run, as SVG.  A chart without data is an empty text."""

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
from metaglot.report.summary import (
    cpu_seconds,
    has_score,
    macro_mean,
    mean_ece,
    methods_of,
    metric_of,
    shots_of,
    tasks_of,
)
from metaglot.report.wording import difference_title, gain_text, score_text, score_title

MAX_POINTS = 150  # of a line
LABEL_AXES = "across: probability of a label in % · up: texts that have it in %"
MIN_SECONDS = 1e-4  # CPU seconds; results are rounded to this


class Curve(NamedTuple):
    """The style of a quantity over the steps of meta-training."""

    title: str
    kind: str  # of the records that have the quantity
    scale: float = 1.0
    has_band: bool = False  # whether `ci95` of a record, the half width of its interval, becomes a band


def validation_curve(metric: Metric) -> Curve:
    """Return the style of the primary metric of validation tasks."""
    unit = f", {metric.unit}" if metric.unit else ""
    return Curve(
        f"{metric.heading} on validation tasks{unit}{metric.direction}", "validation", metric.scale, has_band=True
    )


CURVES: Mapping[str, Curve] = MappingProxyType(
    {
        ACCURACY.name: validation_curve(ACCURACY),
        "loss": Curve("Meta-training loss, nats", "step"),
        "domain_loss": Curve("Loss on other text of the domain, adapted, nats a token", "step"),
        "plain_loss": Curve("Loss without a support set, nats a token or text", "step"),
        "perplexity": Curve("Perplexity of held-out text", "validation"),
        "detection_auc": Curve("AUC of replaced tokens of held-out text", "validation"),
        "twins_found": Curve("Held-out texts whose twin is the nearest, in %", "validation", 100.0),
    }
)


def method_chart(results: Sequence[Result]) -> str:
    """Return the macro mean of each method with its 95 % interval over draws, a panel for each shot."""
    metric = metric_of(results)
    panels = [Panel(_shots(shot), _dots(results, shot)) for shot in shots_of(results)]
    x = f"{metric.axis}{metric.direction}, with 95 % intervals over draws"
    return dot_chart(panels, title=f"{metric.heading}, {_task_phrase(results)}", x=x)


def shots_chart(results: Sequence[Result]) -> str:
    """Return the macro mean of each method over the number of shots; empty if there is only one number of shots."""
    shots = [float(shot) for shot in shots_of(results)]
    if len(shots) < 2:
        return ""
    series = [
        _series(results, method, [(float(shot), shot) for shot in shots_of(results)]) for method in styles(results)
    ]
    return line_chart(
        series,
        title=f"{score_title(metric_of(results))}, {_task_phrase(results)}",
        x=support_axis(results),
        log=True,
        marks=shots,
    )


def cpu_chart(results: Sequence[Result]) -> str:
    """Return the macro mean of each method over its CPU seconds, a point for each number of shots."""
    series: list[Series] = []
    for method in styles(results):
        costs = [(cpu_seconds(results, shot, method), shot) for shot in shots_of(results)]
        series.append(_series(results, method, [(max(MIN_SECONDS, s), shot) for s, shot in costs if s is not None]))
    lines_only = [one._replace(low=(), high=()) for one in series]
    title = f"{score_title(metric_of(results))} against cost"
    return line_chart(lines_only, title=title, x="CPU seconds to learn a task, median", log=True)


def difference_chart(comparisons: Sequence[Comparison]) -> str:
    """Return the gain of our method over each baseline, with a panel for each number of shots.

    A thick bar is the interval over draws, a thin bar the interval over tasks and draws.  Our method is better to the
    right of zero, also if less is better.
    """
    single_rivals = [c for c in comparisons if c.is_single]
    panels: list[Panel] = []
    for shot in dict.fromkeys(c.shot for c in single_rivals):
        shot_comparisons = sorted((c for c in single_rivals if c.shot == shot), key=lambda c: c.draws.mean)
        panels.append(Panel("all shots" if shot is None else _shots(shot), [_difference(c) for c in shot_comparisons]))
    ours, metric = (comparisons[0].ours, comparisons[0].metric) if comparisons else ("ours", ACCURACY)
    return dot_chart(panels, title=difference_title(metric, ours, "each baseline"), x=metric.gain_title, zero=True)


def ranking_chart(ranking: Ranking | None) -> str:
    """Return the critical-difference diagram."""
    if ranking is None:
        return ""
    strong = next((method for method in ranking.methods if method.startswith("ours-")), "")
    title = f"Mean ranks over {ranking.tasks} tasks, 1 is best"
    return rank_chart(
        ranking.methods, ranking.ranks, critical=ranking.critical, groups=ranking.cliques, title=title, strong=strong
    )


def calibration_chart(results: Sequence[Result]) -> str:
    """Return a reliability diagram of all predictions for each method; without bins, the calibration error by shots."""
    if results and all(result.bins for result in results):
        diagrams = [_reliability(results, method, style) for method, style in styles(results).items()]
        if all(FAMILIES.exclusive(result.kind) for result in results):
            return reliability_chart(diagrams, title="Are confident predictions right?")
        return reliability_chart(diagrams, title="Are probable labels there?", axes=LABEL_AXES)
    if not any(has_score(result, ECE) for result in results):
        return ""
    shots = shots_of(results)
    series: list[Series] = []
    for method, style in styles(results).items():
        errors = [(float(shot), mean_ece(results, shot, method)) for shot in shots]
        points = [(x, ECE.scale * error) for x, error in errors if error is not None]
        series.append(Series(method, [x for x, _ in points], [y for _, y in points], style=style))
    marks = [float(shot) for shot in shots]
    return line_chart(series, title="Calibration error in %", x=support_axis(results), log=True, marks=marks)


def support_axis(results: Sequence[Result]) -> str:
    """Return the title of the axis of shots: "support examples a class"; for several kinds "support examples"."""
    each = {FAMILIES[result.kind]().each if result.kind in FAMILIES else "" for result in results}
    return f"support examples {each.pop() if len(each) == 1 else ''}".strip()


def curve_chart(curve: Sequence[Mapping[str, object]], name: str = ACCURACY.name) -> str:
    """Return the chart of `name` over `step`, from the records that have both.

    Records are those of `metrics.jsonl`.  A record with another `kind` than that of the curve (accuracy: validation,
    loss: step) is ignored.  `ci95`, the half width of an interval of the accuracy, becomes a band.  More than 150
    points are averaged in groups.
    """
    return curves_chart({"": curve}, name)


def validation_chart(runs: Mapping[str, Sequence[Mapping[str, object]]], metric: Metric) -> str:
    """Return the chart of the primary metric on validation tasks, for several runs by their names."""
    return curves_chart(runs, metric.name, validation_curve(metric))


def curves_chart(
    runs: Mapping[str, Sequence[Mapping[str, object]]], name: str = ACCURACY.name, curve: Curve | None = None
) -> str:
    """Return the chart of several runs by their names; `curve` is the style of a quantity that is not in CURVES."""
    curve = curve or CURVES.get(name, Curve(name, ""))
    series = [_curve(records, name, curve)._replace(name=run, style=n) for n, (run, records) in enumerate(runs.items())]
    return line_chart(series, title=curve.title, x="step", height=270)


def styles(results: Sequence[Result]) -> dict[str, int]:
    """Return the style number of each method, which is the same in every chart; our methods come first."""
    methods = sorted(methods_of(results), key=lambda method: not method.startswith("ours-"))
    return {method: number for number, method in enumerate(methods)}


def _series(results: Sequence[Result], method: str, places: Sequence[tuple[float, int]]) -> Series:
    """Return the scaled macro means at places (x, shot), without places that have no mean."""
    metric = metric_of(results)
    means = [(x, shot, macro_mean(results, shot, method)) for x, shot in places]
    points = [(x, shot, i) for x, shot, i in means if i is not None]
    x, scaled = [x for x, _, _ in points], [_scale(metric, i) for _, _, i in points]
    y, low, high = [i.mean for i in scaled], [i.low for i in scaled], [i.high for i in scaled]
    descriptions = [f"{method}, {_shots(shot)}: {score_text(metric, i)}" for _, shot, i in points]
    return Series(method, x, y, low, high, styles(results)[method], descriptions)


def _curve(records: Sequence[Mapping[str, object]], name: str, curve: Curve) -> Series:
    matching_records = [record for record in records if record.get("kind", curve.kind) == curve.kind]
    rows = [(_number(record, "step"), _number(record, name), _number(record, "ci95")) for record in matching_records]
    points = [(x, y * curve.scale, half * curve.scale) for x, y, half in rows if isfinite(x) and isfinite(y)]
    x, y, half = ([row[n] for row in points] for n in range(3))
    has_band = curve.has_band and all(map(isfinite, half))
    low = [value - width for value, width in zip(y, half, strict=True)] if has_band else []
    high = [value + width for value, width in zip(y, half, strict=True)] if has_band else []
    return Series("", _thin(x), _thin(y), _thin(low), _thin(high))


def _reliability(results: Sequence[Result], method: str, style: int) -> Reliability:
    size, confidence, right = defaultdict[int, int](int), defaultdict[int, float](float), defaultdict[int, int](int)
    for one in (one for result in results if result.method == method for one in result.bins):
        size[one.number] += one.size
        confidence[one.number] += one.confidence
        right[one.number] += one.right
    order = sorted(size)
    errors = [result.metrics[ECE.name] for result in results if result.method == method and has_score(result, ECE)]
    return Reliability(
        method,
        [confidence[n] / size[n] for n in order],
        [right[n] / size[n] for n in order],
        [size[n] for n in order],
        f"error {ECE.format_with_unit(sum(errors) / len(errors))}" if errors else "",
        style,
    )


def _difference(c: Comparison) -> Dot:
    inner, outer = (_scale(c.metric, i) for i in (c.draws, c.tasks))
    name = difference_title(c.metric, "", c.rival, minus=" − ").strip()
    return Dot(name, inner.mean, inner.low, inner.high, gain_text(c.metric, c.draws), outer=(outer.low, outer.high))


def _scale(metric: Metric, interval: Interval) -> Interval:
    """Return the interval in the unit of the chart."""
    scale = metric.scale
    return Interval(scale * interval.mean, scale * interval.low, scale * interval.high, interval.n)


def _number(record: Mapping[str, object], name: str) -> float:
    value = record.get(name)
    return float(value) if isinstance(value, int | float) else float("nan")


def _dots(results: Sequence[Result], shot: int) -> list[Dot]:
    metric = metric_of(results)
    means = {method: macro_mean(results, shot, method) for method in methods_of(results)}
    intervals = [(method, i, _scale(metric, i)) for method, i in means.items() if i is not None]
    return [
        Dot(method, one.mean, one.low, one.high, score_text(metric, i), method.startswith("ours-"))
        for method, i, one in intervals
    ]


def _shots(shot: int) -> str:
    return f"{shot} shot{'s' * (shot > 1)}"


def _task_phrase(results: Sequence[Result]) -> str:
    tasks = tasks_of(results)
    return f"mean of {len(tasks)} tasks" if len(tasks) > 1 else tasks[0] if tasks else "no tasks"


def _thin(values: list[float]) -> list[float]:
    size = -(-len(values) // MAX_POINTS)
    if size <= 1:
        return values
    groups = [values[start : start + size] for start in range(0, len(values), size)]
    return [sum(group) / len(group) for group in groups]
