"""What came out, in one sentence for each primary metric, made from the numbers."""

from collections.abc import Mapping, Sequence
from math import isnan
from types import MappingProxyType

from metaglot.evaluation.result import Result
from metaglot.evaluation.statistics import Interval
from metaglot.metric import ACCURACY, Metric
from metaglot.report.comparison import Comparison, ahead_in_part, candidates, comparisons, named, strongest
from metaglot.report.summary import by_metric, methods_of, shots_of, tasks_of

NAMED = 3  # lost tasks that the sentence names


def headline(results: Sequence[Result], found: Sequence[Comparison] | None = None) -> str:
    """Return the gain over the strongest baseline with its interval, and how many tasks are lost.

    The strongest baseline is the one that ours gains least over.  `found` are the comparisons, if they are known.
    Tasks of unlike metrics have a sentence each; a sentence on accuracy alone does not name it.
    """
    found, parts = comparisons(results) if found is None else found, by_metric(results)
    said = [
        _sentence(part, [c for c in found if c.metric == metric], _named(metric, alone=len(parts) == 1))
        for metric, part in parts.items()
    ]
    return " ".join(said)


def _sentence(results: Sequence[Result], found: Sequence[Comparison], name: str) -> str:
    """Return the sentence on results of one metric; `name` says which, where that must be said."""
    best = strongest(found)
    if best is None:
        many = len(methods_of(results))
        scope = _scope(tasks_of(results), shots_of(results)) + name
        return f"{many} method{'s' * (many > 1)} {scope}; none of ours was judged beside a baseline there."
    scope = _scope([task for task in tasks_of(results) if task in best.means], _shots(best))
    rivals = len({c.against for c in candidates(found)})
    which = f"{best.against}, the strongest of {rivals} {named(found)}" if rivals > 1 else best.against
    gap = f"{_gap(best.metric, best.draws.mean)} {which}{name}"
    return f"{best.ours} is {gap}, {scope}{_interval(best)}; {_lost(best)}{_beaten(found)}."


def run_headline(
    curves: Mapping[str, Sequence[Mapping[str, object]]], primary: Mapping[str, Metric] = MappingProxyType({})
) -> str:
    """Return how far each run got on its validation tasks: steps, and first and last score by its primary metric."""
    said: list[str] = []
    for name, records in curves.items():
        metric = primary.get(name, ACCURACY)
        steps = [r["step"] for r in records if isinstance(r.get("step"), int)]
        checks = [r for r in records if r.get("kind") == "validation" and isinstance(r.get(metric.name), float)]
        reached = f"{name} took {steps[-1]} steps" if steps else f"{name} took no step"
        if len(checks) > 1:
            first, last = (metric.format_with_unit(float(str(r[metric.name]))) for r in (checks[0], checks[-1]))
            reached += f"; {metric.words} on its validation tasks went from {first} to {last}"
        said.append(reached)
    return ". ".join(said) + "." if said else ""


def _named(metric: Metric, *, alone: bool) -> str:
    """Return " in MAE, where less is better"; nothing for accuracy alone, which a reader takes for granted."""
    if alone and metric == ACCURACY:
        return ""
    return f" in {metric.words}" + (", where less is better" if metric.better == "lower" else "")


def _gap(metric: Metric, gain: float) -> str:
    """Return "8.1 points above": how far the score lies on which side, be that better or worse."""
    return f"{metric.format_gain_size(gain)} {'above' if metric.sign * gain >= 0 else 'below'}"


def _shots(one: Comparison) -> list[int]:
    return sorted({shot for _, shot in one.by_task})


def _beaten(found: Sequence[Comparison]) -> str:
    """Return what baselines that were judged in part say against it."""
    one = ahead_in_part(found)
    if one is None:
        return ""
    shots = " and ".join(map(str, _shots(one)))
    return f"; {one.against}, judged at {shots} shots alone, is {_gap(one.metric, -one.draws.mean)} it there"


def _scope(tasks: Sequence[str], shots: Sequence[int]) -> str:
    said = [str(shot) for shot in shots]
    where = f"over {len(tasks)} tasks" if len(tasks) > 1 else f"on {tasks[0]}"
    listed = f"{', '.join(said[:-1])} and {said[-1]}" if len(said) > 1 else said[0]
    return f"{where} at {listed} shot{'s' * (said != ['1'])}"


def intervals(gain: Comparison) -> str:
    """Return the 95 % intervals of a gain: over draws of the support set, and had other tasks been chosen too."""
    by_draws = "" if isnan(gain.draws.low) else f"over draws {_between(gain.metric, gain.draws)}"
    several = gain.tasks.n > 1 and len(gain.means) > 1 and not isnan(gain.tasks.low)
    by_tasks = f"over tasks and draws {_between(gain.metric, gain.tasks)}" if several else ""
    return "; ".join(part for part in (by_draws, by_tasks) if part)


def _between(metric: Metric, interval: Interval) -> str:
    zero = ", which includes zero" if interval.low <= 0 <= interval.high else ""
    return f"{metric.format_gain(interval.low)} to {metric.format_gain(interval.high)}{zero}"


def _interval(best: Comparison) -> str:
    both = intervals(best)
    of = "" if best.metric.better == "higher" else " of the gain"
    return f" (95 % interval{of} {both})" if both else ""


def _lost(best: Comparison) -> str:
    lost = {task: mean for task, mean in best.means.items() if mean < 0}
    if not lost:
        return f"it loses none of the {len(best.means)} tasks" if len(best.means) > 1 else "the task is not lost"
    if len(best.means) == 1:
        return "the task is lost"
    named = ", ".join(f"{task} by {best.metric.format(-mean)}" for task, mean in list(lost.items())[:NAMED])
    more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
    return f"it loses {len(lost)} of {len(best.means)} tasks ({named}{more})"
