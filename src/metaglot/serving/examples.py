"""Examples as they are sent, and as a model learns them; for every kind of task, by its family alone."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from metaglot.adaptation.checks import check_examples, check_targeted, chooses
from metaglot.choices import FAMILIES
from metaglot.data.candidates import Candidates
from metaglot.data.texts import Texts
from metaglot.errors import MetaglotError
from metaglot.families.choose import family_called, family_of
from metaglot.families.family import AnyFamily
from metaglot.serving.forms.texts import Example, Input

ANSWERS = {kind.cells: name for name, kind in FAMILIES.kinds.items()}["answers"]
CHOICES = {kind.cells: name for name, kind in FAMILIES.kinds.items()}["candidates"]


class FieldError(MetaglotError):
    """A fault in one field of a request."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


class Given(NamedTuple):
    """Texts in the form that `Model` and `Adapted` take."""

    texts: Texts
    pairs: list[str] | None


def family_name(examples: Sequence[Example]) -> str:
    """Return the kind of task that examples look like: their labels tell, and whether they have candidates."""
    if any(one.candidates is not None for one in examples):
        return CHOICES
    if any(isinstance(one.label, dict) for one in examples):
        return ANSWERS
    return family_of([one.label for one in examples]).name


def numbered(name: str, count: int) -> list[str]:
    """Return the names of the items of a list: inputs.0, inputs.1 and so on."""
    return [f"{name}.{row}" for row in range(count)]


def given(inputs: Sequence[Input], family: AnyFamily, fields: Sequence[str]) -> Given:
    """Return inputs as a family reads them; raise FieldError where second texts or candidates do not fit.

    `fields` are the names of the inputs in the request.
    """
    with_candidates = [row for row, one in enumerate(inputs) if one.candidates is not None]
    if chooses(family):
        for row, one in enumerate(inputs):
            if not one.candidates:
                raise FieldError(f"{fields[row]}.candidates", "is missing: this task chooses among candidates")
            if one.pair is not None:
                raise FieldError(f"{fields[row]}.pair", "has no use beside candidates; leave it out")
        return Given(Candidates([one.text for one in inputs], [one.candidates or () for one in inputs]), None)
    if with_candidates:
        why = f"has no use: a task of {family.name} chooses among none; leave it out"
        raise FieldError(f"{fields[with_candidates[0]]}.candidates", why)
    paired = [row for row, one in enumerate(inputs) if one.pair is not None]
    if paired and len(paired) < len(inputs):
        first = next(row for row, one in enumerate(inputs) if one.pair is None)
        raise FieldError(f"{fields[first]}.pair", "is missing: other rows have a second text; give one to all or none")
    return Given([one.text for one in inputs], [one.pair or "" for one in inputs] if paired else None)


def check_new(examples: Sequence[Example], family: AnyFamily) -> None:
    """Raise FieldError where a task cannot be learnt from examples alone; no model is needed to tell."""
    _check_whole(examples, family, check_examples)


def check_more(examples: Sequence[Example], family: AnyFamily) -> None:
    """Raise FieldError where examples cannot be added to those of a task."""
    _check_whole(examples, family, check_targeted)


def _check_whole(examples: Sequence[Example], family: AnyFamily, check: Callable[..., object]) -> None:
    texts, pairs = given(examples, family, numbered("examples", len(examples)))
    _check_each(examples, family)
    try:
        check(family, texts, [one.label for one in examples], pairs)
    except MetaglotError as error:
        raise FieldError("examples", str(error)) from error


def labels_among(examples: Sequence[Example], family: AnyFamily) -> set[Any]:
    """Return the outputs that examples have."""
    return set(family.schema(family.read([one.label for one in examples], str).targets).outputs)


def named(name: str) -> AnyFamily:
    """Return the family of a name."""
    return family_called(name)


def _check_each(examples: Sequence[Example], family: AnyFamily) -> None:
    """Raise FieldError that names the first label that is none."""
    for row, one in enumerate(examples):
        try:
            (target,) = family.read([one.label], lambda _: "it").targets
        except MetaglotError as error:
            raise FieldError(f"examples.{row}.label", str(error)) from error
        if target is None:
            raise FieldError(f"examples.{row}.label", "is missing; fill it in, or leave the example out")
