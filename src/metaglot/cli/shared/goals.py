"""`--goal`: a score to reach, alone or after the name of its metric."""

from metaglot.errors import MetaglotError
from metaglot.metric import Measures, by_name


def goal_called(text: str, measures: Measures) -> float:
    """Return the score of "0.9" or "accuracy=0.9", for a task that is judged by `measures`, the first if none is named.

    Raises MetaglotError for another metric, for what is no number, and for a score that the metric cannot have or that
    is its worst.
    """
    name, named, number = text.rpartition("=")
    metric = by_name(measures).get(name.strip() if named and name.strip() else measures[0].name)
    if metric is None:
        known, first = ", ".join(by_name(measures)), measures[0].name
        raise MetaglotError(f"--goal {text}: unknown metric {name.strip()!r}; use {known}, as in {first}=0.9")
    try:
        score = float(number)
    except ValueError:
        score = float("nan")
    if metric.can_be(score) and score != metric.worst:
        return score
    low, high = (None if end is None else f"{end:g}" for end in (metric.low, metric.high))
    ends = {"higher": (f"above {low}", f"at most {high}"), "lower": (f"at least {low}", f"below {high}")}[metric.better]
    bounds = " and ".join(end for end, there in zip(ends, (low, high), strict=True) if there is not None)
    raise MetaglotError(f"--goal {text}: expected {metric.words} {bounds}, e.g. 0.9")
