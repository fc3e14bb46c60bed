"""Scores, gains and their intervals as text, by the metric that they are of."""

from math import isnan

from metaglot.evaluation.statistics import Interval
from metaglot.metric import Metric


def estimate(metric: Metric, interval: Interval | None) -> str:
    """Return a mean score, "56.2 ± 1.3", without its unit; without the interval where there is none."""
    if interval is None:
        return "–"
    return metric.format(interval.mean) + _half(metric, interval)


def gained(metric: Metric, interval: Interval) -> str:
    """Return a mean gain, "+8.1 ± 0.9": positive where ours is better, also where less is better."""
    return metric.format_gain(interval.mean) + _half(metric, interval)


def between(metric: Metric, interval: Interval) -> str:
    """Return the ends of the interval of a gain, "+2.0 … +9.1"."""
    if isnan(interval.low):
        return "–"
    return f"{metric.format_gain(interval.low)} … {metric.format_gain(interval.high)}"


def subtraction(metric: Metric, ours: str, other: str, *, minus: str = " minus ") -> str:
    """Return what a gain is: "ours minus other", or the other way round where less is better."""
    return f"{ours}{minus}{other}" if metric.better == "higher" else f"{other}{minus}{ours}"


def over_others(metric: Metric, ours: str) -> str:
    """Return the beginning of a note on gains: "ours minus the other"; where less is better, "The other minus ours"."""
    return subtraction(metric, ours, "the other" if metric.better == "higher" else "The other")


def titled(metric: Metric) -> str:
    """Return what scores are, at the beginning of a sentence: "Accuracy in %", "MAE in stars (less is better)"."""
    return f"{metric.axis[:1].upper()}{metric.axis[1:]}{metric.direction}"


def named_by(metric: Metric, title: str) -> str:
    """Return the title of a table or section of one metric among several: "Cost: MAE in stars"."""
    return titled(metric) if title == metric.heading else f"{title}: {metric.axis}"


def _half(metric: Metric, interval: Interval) -> str:
    return "" if isnan(interval.low) else f" ± {metric.format(interval.half)}"
