"""The headline of a report: one sentence for each primary metric."""

from collections.abc import Mapping, Sequence
from math import isnan
from types import MappingProxyType

from metaglot.evaluation.result import Result
from metaglot.evaluation.statistics import Interval
from metaglot.metric import ACCURACY, Metric
from metaglot.report.comparison import (
    Comparison,
    best_partial_rival,
    candidates,
    compare_methods,
    rival_noun,
    strongest_rival,
)
from metaglot.report.summary import by_metric, methods_of, shots_of, tasks_of

MAX_NAMES = 3  # of lost tasks in the sentence


def headline(results: Sequence[Result], comparisons: Sequence[Comparison] | None = None) -> str:
    """Return the gain over the strongest baseline with its interval, and the number of lost tasks.

    The strongest baseline is the one with the least gain of our method.  `comparisons` saves their computation.  Each
    primary metric has a sentence; if accuracy is the only metric, the sentence does not name it.
    """
    comparisons, parts = compare_methods(results) if comparisons is None else comparisons, by_metric(results)
    sentences = [
        _sentence(
            part, [c for c in comparisons if c.metric == metric], _metric_phrase(metric, is_single=len(parts) == 1)
        )
        for metric, part in parts.items()
    ]
    return " ".join(sentences)


def _sentence(results: Sequence[Result], comparisons: Sequence[Comparison], name: str) -> str:
    """Return the sentence on results of one metric; `name` is the phrase that names the metric, or empty."""
    strongest = strongest_rival(comparisons)
    if strongest is None:
        count = len(methods_of(results))
        scope = _scope(tasks_of(results), shots_of(results)) + name
        return f"{count} method{'s' * (count > 1)} {scope}; none of our methods was judged beside a baseline."
    scope = _scope([task for task in tasks_of(results) if task in strongest.means], _shots(strongest))
    rivals = len({c.rival for c in candidates(comparisons)})
    rival_text = (
        f"{strongest.rival}, the strongest of {rivals} {rival_noun(comparisons)}" if rivals > 1 else strongest.rival
    )
    gap_text = f"{_gap_phrase(strongest.metric, strongest.draws.mean)} {rival_text}{name}"
    notes = f"{_losses(strongest)}{_partial_rival_note(comparisons)}"
    return f"{strongest.ours} is {gap_text}, {scope}{_interval_note(strongest)}; {notes}."


def run_headline(
    curves: Mapping[str, Sequence[Mapping[str, object]]], primary_metrics: Mapping[str, Metric] = MappingProxyType({})
) -> str:
    """Return the number of steps of each run, and its first and last score on validation tasks."""
    sentences: list[str] = []
    for name, records in curves.items():
        metric = primary_metrics.get(name, ACCURACY)
        steps = [r["step"] for r in records if isinstance(r.get("step"), int)]
        validations = [r for r in records if r.get("kind") == "validation" and isinstance(r.get(metric.name), float)]
        sentence = f"{name} took {steps[-1]} steps" if steps else f"{name} took no step"
        if len(validations) > 1:
            first, last = (
                metric.format_with_unit(float(str(r[metric.name]))) for r in (validations[0], validations[-1])
            )
            sentence += f"; {metric.words} on its validation tasks went from {first} to {last}"
        sentences.append(sentence)
    return ". ".join(sentences) + "." if sentences else ""


def _metric_phrase(metric: Metric, *, is_single: bool) -> str:
    """Return " in MAE, where less is better"; empty if accuracy is the only metric."""
    if is_single and metric == ACCURACY:
        return ""
    return f" in {metric.words}" + (", where less is better" if metric.better == "lower" else "")


def _gap_phrase(metric: Metric, gain: float) -> str:
    """Return "8.1 points above", "8.1 points below" or "level with"; "above" is a higher score, which may be worse."""
    size = metric.format_gain_size(gain)
    if not any(digit in size for digit in "123456789"):
        return "level with"
    return f"{size} {'above' if metric.sign * gain > 0 else 'below'}"


def _shots(one: Comparison) -> list[int]:
    return sorted({shot for _, shot in one.by_task})


def _partial_rival_note(comparisons: Sequence[Comparison]) -> str:
    """Return a note on a stronger baseline that was judged at some numbers of shots only; empty if there is none."""
    one = best_partial_rival(comparisons)
    if one is None:
        return ""
    shots = " and ".join(map(str, _shots(one)))
    return f"; {one.rival}, judged at {shots} shots only, is {_gap_phrase(one.metric, -one.draws.mean)} it there"


def _scope(tasks: Sequence[str], shots: Sequence[int]) -> str:
    shot_names = [str(shot) for shot in shots]
    place = f"over {len(tasks)} tasks" if len(tasks) > 1 else f"on {tasks[0]}"
    shot_list = f"{', '.join(shot_names[:-1])} and {shot_names[-1]}" if len(shot_names) > 1 else shot_names[0]
    return f"{place} at {shot_list} shot{'s' * (shot_names != ['1'])}"


def intervals(comparison: Comparison) -> str:
    """Return the text of the 95 % intervals of a gain: over draws of the support set, and over tasks and draws."""
    by_draws = (
        "" if isnan(comparison.draws.low) else f"over draws {_interval_ends(comparison.metric, comparison.draws)}"
    )
    several = comparison.tasks.n > 1 and len(comparison.means) > 1 and not isnan(comparison.tasks.low)
    by_tasks = f"over tasks and draws {_interval_ends(comparison.metric, comparison.tasks)}" if several else ""
    return "; ".join(part for part in (by_draws, by_tasks) if part)


def _interval_ends(metric: Metric, interval: Interval) -> str:
    zero_note = ", which includes zero" if interval.low <= 0 <= interval.high else ""
    return f"{metric.format_gain(interval.low)} to {metric.format_gain(interval.high)}{zero_note}"


def _interval_note(strongest: Comparison) -> str:
    interval_text = intervals(strongest)
    direction_text = "" if strongest.metric.better == "higher" else " of the gain"
    return f" (95 % interval{direction_text} {interval_text})" if interval_text else ""


def _losses(strongest: Comparison) -> str:
    losses = {task: mean for task, mean in strongest.means.items() if mean < 0}
    if not losses:
        return (
            f"it loses none of the {len(strongest.means)} tasks" if len(strongest.means) > 1 else "the task is not lost"
        )
    if len(strongest.means) == 1:
        return "the task is lost"
    task_list = ", ".join(
        f"{task} by {strongest.metric.format(-mean)}" for task, mean in list(losses.items())[:MAX_NAMES]
    )
    rest_text = f" and {len(losses) - MAX_NAMES} more" if len(losses) > MAX_NAMES else ""
    return f"it loses {len(losses)} of {len(strongest.means)} tasks ({task_list}{rest_text})"
