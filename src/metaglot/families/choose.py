"""Which kind of task it is: by its name, or by the look of its targets."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import cast

from metaglot.choices import FAMILIES
from metaglot.data.answer_columns import ANSWERING
from metaglot.data.answers import Answer
from metaglot.data.candidates import Candidates, Choice
from metaglot.data.labels import Wrapped
from metaglot.data.span_columns import KIND
from metaglot.data.span_values import looks_like_spans
from metaglot.data.spans import Span
from metaglot.data.task_kind import kind_called
from metaglot.families.family import AnyFamily


def family_called(name: str) -> AnyFamily:
    """Return the family of that name; raise MetaglotError for another."""
    kind_called(name)
    return FAMILIES[name]()


def family_of(targets: Sequence[object], texts: object = ()) -> AnyFamily:
    """Return the family that targets look like; texts with candidates are to be chosen for.

    Choices are among candidates, answers are parts of second texts, lists of spans are those of a text, other sets and
    lists are labels, fractions are numbers, all else is classes.  Arrays count as lists, and scalars of numpy and torch
    as Python's.  Whole numbers are classes, since most data sets number their classes so.
    """
    if isinstance(texts, Candidates) or any(isinstance(target, Choice) for target in targets):
        return family_called("choice")
    if any(_has_span(target) or looks_like_spans(target) for target in targets):
        return family_called(KIND)
    if any(isinstance(target, Answer) for target in targets):
        return family_called(ANSWERING)
    if any(map(_is_several, targets)):
        return family_called("multilabel")
    return family_called("regression" if any(map(_is_fraction, targets)) else "classification")


def _has_span(target: object) -> bool:
    if isinstance(target, Span):
        return True
    many = cast("Sequence[object]", target) if isinstance(target, list | tuple) else ()
    return any(isinstance(one, Span) for one in many)


def _is_several(target: object) -> bool:
    return isinstance(target, list | tuple | AbstractSet) or (isinstance(target, Wrapped) and target.ndim == 1)


def _is_fraction(target: object) -> bool:
    number = target.item() if isinstance(target, Wrapped) and target.ndim == 0 else target
    return isinstance(number, float) and number == number and not number.is_integer()
