"""Examples given by a user, checked before anything expensive happens."""

import warnings
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from metaglot.data.empty import check_not_all_empty
from metaglot.data.examples import Examples, Inputs
from metaglot.data.labels import Label, in_order
from metaglot.errors import MetaglotError
from metaglot.families.classification import ClassificationFamily
from metaglot.families.family import AnyFamily

UNLISTED = {"set": "which has no order", "frozenset": "which has no order", "dict": "which has keys"}


def check_texts(texts: Iterable[str], pairs: Iterable[str] | None) -> Inputs:
    """Return the texts, each with its second text if there are any.

    A column of a data frame is read in its order, whatever its index is.  Raises MetaglotError for anything but
    strings, for none at all, and for second texts of another number.
    """
    texts = _strings("text", texts)
    if not texts:
        raise MetaglotError("no texts were given")
    return Inputs.of(texts, None if pairs is None else _strings("second text", pairs))


def listed(what: str, values: Iterable[Any]) -> list[Any]:
    """Return the values as a list.

    Raises MetaglotError for one string, for what has no values, and for what has them in no order or in two dimensions.
    """
    if isinstance(values, str):
        raise MetaglotError(f"{what}s must be a list of strings, got one string; write [text]")
    if isinstance(values, bytes | Mapping | Set):
        kind = type(values).__name__
        raise MetaglotError(
            f"{what}s must be a list, got a {kind}, {UNLISTED.get(kind, 'which is none')}; write a list"
        )
    if getattr(values, "ndim", 1) != 1:
        raise MetaglotError(
            f"{what}s must be a list, got a {type(values).__name__} of {getattr(values, 'ndim', 0)} dimensions; "
            "give one column of a data frame, such as data['text'], or .ravel() of an array"
        )
    try:
        return list(values)
    except TypeError as error:
        raise MetaglotError(f"{what}s must be a list of strings, got {type(values).__name__}") from error


def check_targeted(
    family: AnyFamily, texts: Iterable[str], targets: Iterable[object], pairs: Iterable[str] | None
) -> Examples[Any]:
    """Return the examples, the targets in their one form (`Family.read`).

    Raises MetaglotError for unlike lengths, for gaps, for objects that are no targets, and where all texts are empty.
    """
    inputs = check_texts(texts, pairs)
    check_not_all_empty(inputs.texts, inputs.pairs)
    if isinstance(targets, str):
        raise MetaglotError(f"{len(inputs)} texts but one string; give a list with one label for each text")
    targets = listed("label", targets)
    if len(targets) != len(inputs):
        raise MetaglotError(f"{len(inputs)} texts but {len(targets)} labels; give a list with one label for each text")
    return Examples(inputs, tuple(check_targets(family, targets)))


def check_targets(family: AnyFamily, targets: Sequence[object]) -> list[Any]:
    """Return the targets in their one form; warn where two labels become one, and raise MetaglotError for a gap."""
    read, notes = family.read(targets, numbered)
    for i, target in enumerate(read):
        if target is None:
            raise MetaglotError(f"{numbered(i)} is missing ({targets[i]!r:.60}); fill it in, or leave the text out")
    for note in notes:
        warnings.warn(note, stacklevel=4)
    return read


def numbered(row: int) -> str:
    """Return what an error calls the label of a row."""
    return f"label number {row + 1}"


def check_examples(
    family: AnyFamily, texts: Iterable[str], targets: Iterable[object], pairs: Iterable[str] | None
) -> Examples[Any]:
    """Return `check_targeted`; raise MetaglotError where there is nothing to learn too, such as one class alone."""
    examples = check_targeted(family, texts, targets, pairs)
    family.check(examples.targets)
    return examples


def check_names(labels: Iterable[object]) -> list[Label]:
    """Return labels in their one form; raise MetaglotError unless these are two distinct ones or more."""
    found: list[Label] = check_targets(ClassificationFamily(), listed("label", labels))
    if len(set(found)) < 2:
        raise MetaglotError(f"{len(set(found))} label given; a classifier needs at least two")
    if twice := [label for label in in_order(found) if found.count(label) > 1]:
        raise MetaglotError(f"the label {twice[0]!r} is given twice")
    return found


def _strings(what: str, texts: Iterable[str]) -> list[str]:
    found = listed(what, texts)
    for i, text in enumerate(found):
        if not isinstance(text, str):
            raise MetaglotError(f"{what} number {i + 1} is not a string but {type(text).__name__}: {text!r}")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise MetaglotError(f"{what} number {i + 1} holds half a character: {error}") from error
    return found
