"""Requests against the limits of a server; each message names the field, the limit and what came."""

from collections.abc import Collection, Sequence
from typing import Any

from metaglot.families.family import AnyFamily
from metaglot.serving.api.problems import ProblemError
from metaglot.serving.examples import FieldError, labels_among
from metaglot.serving.forms.texts import Example, Input
from metaglot.serving.limits import Limits


def check_inputs(inputs: Sequence[Input], limits: Limits, field: str) -> None:
    """Raise FieldError where inputs are too many or too long."""
    if len(inputs) > limits.texts:
        raise FieldError(field, f"has {len(inputs):,} texts, and a request has {limits.texts:,} at most; send several")
    for row, one in enumerate(inputs):
        _check_input(one, limits, f"{field}.{row}")


def check_examples(examples: Sequence[Example], limits: Limits, *, count: int = 0) -> None:
    """Raise FieldError where examples, with those that a task has, are too many or too long."""
    if count + len(examples) > limits.examples:
        have = f"the task has {count:,} and {len(examples):,} are new" if count else f"{len(examples):,} came"
        raise FieldError("examples", f"{have}, and a task has {limits.examples:,} at most")
    for row, one in enumerate(examples):
        _check_input(one, limits, f"examples.{row}")
        if _length(one.label) > limits.characters:
            raise FieldError(f"examples.{row}.label", f"is too long; {limits.characters:,} characters are the most")


def check_labels(examples: Sequence[Example], family: AnyFamily, limits: Limits, labels: Collection[Any] = ()) -> None:
    """Raise FieldError where examples, with the labels that a task has, have too many labels."""
    total = len(labels_among(examples, family) | set(labels))
    if total > limits.classes:
        raise FieldError("examples", f"have {total:,} labels, and a task has {limits.classes:,} at most")


def check_room(tasks: int, limits: Limits) -> None:
    """Raise ProblemError where a tenant has as many tasks as it may have."""
    if tasks >= limits.tasks:
        raise ProblemError(422, f"you have {tasks:,} tasks, which is the most; delete some", field="tasks")


def check_versions(versions: int, limits: Limits) -> None:
    """Raise ProblemError where a task has as many versions as it may have."""
    if versions >= limits.versions:
        why = f"the task has {versions:,} versions, which is the most; make a new task of all examples, and delete it"
        raise ProblemError(422, why, field="examples")


def _check_input(one: Input, limits: Limits, field: str) -> None:
    if one.candidates is not None and len(one.candidates) > limits.candidates:
        why = f"are {len(one.candidates):,}, and a text has {limits.candidates:,} at most"
        raise FieldError(f"{field}.candidates", why)
    length = len(one.text) + len(one.pair or "") + sum(map(len, one.candidates or ()))
    if length > limits.characters:
        raise FieldError(f"{field}.text", f"has {length:,} characters in all; {limits.characters:,} are the most")


def _length(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_length, value.values()))
    return sum(map(_length, value)) if isinstance(value, list) else len(str(value))
