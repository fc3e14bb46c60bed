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
    """Raise FieldError where labels, with those that a task has, are too many, or one is too long."""
    new = labels_among(examples, family)
    total = len(new | set(labels))
    if total > limits.classes:
        raise FieldError("examples", f"have {total:,} labels, and a task has {limits.classes:,} at most")
    longest = max((len(str(label)) for label in new), default=0)
    if longest > limits.label_characters:
        why = f"have a label of {longest:,} characters, and a label has {limits.label_characters:,} at most"
        raise FieldError("examples", why)


def check_marked(examples: Sequence[Example], family: AnyFamily, limits: Limits) -> None:
    """Raise FieldError where texts that are read whole, window by window, are too long in all."""
    whole = sum(map(length_of, examples))
    if family.tokens is not None and whole > limits.marked_characters:
        why = f"have {whole:,} characters, and the most of this kind is {limits.marked_characters:,}; cut texts"
        raise FieldError("examples", why)


def check_bytes(count: int, limits: Limits) -> None:
    """Raise ProblemError where the tasks of a tenant fill the disk that they may."""
    if count >= limits.tenant_megabytes << 20:
        why = f"your tasks have {limits.tenant_megabytes:,} MB on the disk, which is the most; delete some"
        raise ProblemError(422, why, field="tasks")


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
    length = length_of(one)
    if length > limits.characters:
        raise FieldError(f"{field}.text", f"has {length:,} characters in all; {limits.characters:,} are the most")


def length_of(one: Input) -> int:
    """Return the characters of an input in all."""
    return len(one.text) + len(one.pair or "") + sum(map(len, one.candidates or ()))


def _length(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_length, value.values()))
    return sum(map(_length, value)) if isinstance(value, list) else len(str(value))
