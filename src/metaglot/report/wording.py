"""The text of scores, gains and intervals of a metric."""

from math import isnan

from metaglot.evaluation.statistics import Interval
from metaglot.metric import Metric


def score_text(metric: Metric, interval: Interval | None) -> str:
    """Return the text of a mean score without its unit, "56.2 ± 1.3"; an unknown interval is left out."""
    if interval is None:
        return "–"
    return metric.format(interval.mean) + _half_width_text(metric, interval)


def gain_text(metric: Metric, interval: Interval) -> str:
    """Return the text of a mean gain, "+8.1 ± 0.9"; it is positive if ours is better, also if less is better."""
    return metric.format_gain(interval.mean) + _half_width_text(metric, interval)


def interval_text(metric: Metric, interval: Interval) -> str:
    """Return the text of the interval of a gain, "+2.0 … +9.1"."""
    if isnan(interval.low):
        return "–"
    return f"{metric.format_gain(interval.low)} … {metric.format_gain(interval.high)}"


def difference_title(metric: Metric, ours: str, other: str, *, minus: str = " minus ") -> str:
    """Return the words for a gain: "ours minus other", or "other minus ours" if less is better."""
    return f"{ours}{minus}{other}" if metric.better == "higher" else f"{other}{minus}{ours}"


def difference_sentence(metric: Metric, ours: str) -> str:
    """Return the beginning of a note on gains: "ours minus the other"; "The other minus ours" if less is better."""
    return difference_title(metric, ours, "the other" if metric.better == "higher" else "The other")


def score_title(metric: Metric) -> str:
    """Return the title of scores at the beginning of a sentence: "Accuracy in %", "MAE in stars (less is better)"."""
    return f"{metric.axis[:1].upper()}{metric.axis[1:]}{metric.direction}"


def metric_title(metric: Metric, title: str) -> str:
    """Return the title of a table or section if there are several metrics: "Cost: MAE in stars"."""
    return score_title(metric) if title == metric.heading else f"{title}: {metric.axis}"


def _half_width_text(metric: Metric, interval: Interval) -> str:
    return "" if isnan(interval.low) else f" ± {metric.format(interval.half)}"
