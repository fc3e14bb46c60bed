"""Tasks whose scores are in the unit of their numbers: which of them have one scale, so that a mean says something.

An error of half a star and one of fifty euros have no mean.  Nothing tells the unit of a column, so that tasks have one
scale where their numbers lie between the same ends, as good as: those of one file, and files of ratings from 1 to 5.
"""

from collections.abc import Sequence
from dataclasses import replace

from metaglot.evaluation.result import Result
from metaglot.metric import with_span

Span = tuple[float, float] | None
SAME = 0.1  # of the longer span: how far ends may lie apart


def in_scales(results: Sequence[Result]) -> list[Result]:
    """Return the results, those of one scale with the same span; without any where all have one scale.

    A result that says nothing of its span, as earlier versions wrote it, is of a scale of its own.
    """
    spans = dict.fromkeys(metric.span for result in results for metric in result.measures if metric.of_targets)
    first: dict[Span, Span] = {}
    for span in spans:
        first[span] = next((other for other in first.values() if alike(span, other)), span)
    if not spans or set(first.values()) == {None}:
        return list(results)
    one = len(set(first.values())) == 1
    return [_with(result, None if one else first[_span_of(result)]) for result in results]


def alike(span: Span, other: Span) -> bool:
    """Whether numbers lie between the same ends, as good as."""
    if span is None or other is None:
        return span is other
    room = SAME * max(span[1] - span[0], other[1] - other[0])
    return all(abs(end - its) <= room for end, its in zip(span, other, strict=True))


def _span_of(result: Result) -> Span:
    return next((metric.span for metric in result.measures if metric.of_targets), None)


def _with(result: Result, span: Span) -> Result:
    changed = any(metric.of_targets and metric.span != span for metric in result.measures)
    return replace(result, measures=with_span(result.measures, span)) if changed else result
