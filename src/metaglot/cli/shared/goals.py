"""`--goal`: a score to reach, alone or after the name of its metric."""

from metaglot.errors import MetaglotError
from metaglot.metric import Measures, metrics_by_name


def parse_goal(text: str, measures: Measures) -> float:
    """Return the score of "0.9" or "accuracy=0.9"; `measures` are the metrics of the task, the default first.

    Raises MetaglotError for an unknown metric, for text that is no number, for a score that the metric cannot have, and
    for its worst score.
    """
    name, sign, number = text.rpartition("=")
    metric = metrics_by_name(measures).get(name.strip() if sign and name.strip() else measures[0].name)
    if metric is None:
        names, first = ", ".join(metrics_by_name(measures)), measures[0].name
        raise MetaglotError(f"--goal {text}: unknown metric {name.strip()!r}; use {names}, as in {first}=0.9")
    try:
        score = float(number)
    except ValueError:
        score = float("nan")
    if metric.in_bounds(score) and score != metric.worst:
        return score
    low, high = (None if end is None else f"{end:g}" for end in (metric.low, metric.high))
    ends = {"higher": (f"above {low}", f"at most {high}"), "lower": (f"at least {low}", f"below {high}")}[metric.better]
    bounds = " and ".join(end for end, value in zip(ends, (low, high), strict=True) if value is not None)
    raise MetaglotError(f"--goal {text}: expected {metric.words} {bounds}, e.g. 0.9")
