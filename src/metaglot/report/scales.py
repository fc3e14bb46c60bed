"""The scales of tasks whose scores are in the unit of their numbers.  A mean is taken over tasks of one scale only.

An error of half a star and an error of fifty euros have no mean.  A file does not give the unit of its numbers;
therefore tasks have one scale if their lowest and highest numbers are about the same: the tasks of one file, and files
of ratings from 1 to 5.
"""

from collections.abc import Sequence
from dataclasses import replace

from metaglot.evaluation.result import Result
from metaglot.metric import with_span

Span = tuple[float, float] | None
TOLERANCE = 0.1  # of the longer span: the largest distance of two ends


def with_common_scales(results: Sequence[Result]) -> list[Result]:
    """Return the results; those of one scale have the same span, and no span if all results have one scale.

    Results of earlier versions have no span; they are a scale of their own.
    """
    spans = dict.fromkeys(metric.span for result in results for metric in result.measures if metric.of_targets)
    scales: dict[Span, Span] = {}
    for span in spans:
        scales[span] = next((other for other in scales.values() if have_same_scale(span, other)), span)
    if not spans or set(scales.values()) == {None}:
        return list(results)
    is_single = len(set(scales.values())) == 1
    return [_with_span(result, None if is_single else scales[_span_of(result)]) for result in results]


def have_same_scale(span: Span, other: Span) -> bool:
    """Return whether the ends of two spans are about the same."""
    if span is None or other is None:
        return span is other
    tolerance = TOLERANCE * max(span[1] - span[0], other[1] - other[0])
    return all(abs(end - other_end) <= tolerance for end, other_end in zip(span, other, strict=True))


def _span_of(result: Result) -> Span:
    return next((metric.span for metric in result.measures if metric.of_targets), None)


def _with_span(result: Result, span: Span) -> Result:
    changed = any(metric.of_targets and metric.span != span for metric in result.measures)
    return replace(result, measures=with_span(result.measures, span)) if changed else result
