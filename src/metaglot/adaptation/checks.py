"""Examples given by a user, checked before anything expensive happens."""

from collections.abc import Iterable, Sequence
from typing import Any

from metaglot.errors import MetaglotError


def check_texts(texts: Iterable[str], pairs: Iterable[str] | None) -> tuple[list[str], list[str] | None]:
    """Return the texts, and the second texts if there are any, as lists.

    A column of a data frame is read in its order, whatever its index is.  Raises MetaglotError for anything but
    strings, for none at all, and for second texts of another number.
    """
    texts = _strings("text", texts)
    if not texts:
        raise MetaglotError("no texts were given")
    if pairs is None:
        return texts, None
    pairs = _strings("second text", pairs)
    if len(pairs) != len(texts):
        raise MetaglotError(f"{len(texts)} texts but {len(pairs)} second texts; give one for each")
    return texts, pairs


def listed(what: str, values: Iterable[Any]) -> list[Any]:
    """Return the values as a list; raise MetaglotError for one string and for what has no values."""
    if isinstance(values, str):
        raise MetaglotError(f"{what}s must be a list of strings, got one string; write [text]")
    try:
        return list(values)
    except TypeError as error:
        raise MetaglotError(f"{what}s must be a list of strings, got {type(values).__name__}") from error


def check_labelled(
    texts: Iterable[str], labels: Iterable[str], pairs: Iterable[str] | None
) -> tuple[list[str], list[str], list[str] | None]:
    """Return the examples as lists, the labels as strings; raise MetaglotError for unlike lengths or gaps."""
    texts, pairs = check_texts(texts, pairs)
    if isinstance(labels, str):
        raise MetaglotError(f"{len(texts)} texts but one string; give a list with one label for each text")
    labels = listed("label", labels)
    if len(labels) != len(texts):
        raise MetaglotError(f"{len(texts)} texts but {len(labels)} labels; give a list with one label for each text")
    for i, label in enumerate(labels):
        _check_label(i, label)
    return texts, [str(label) for label in labels], pairs


def _check_label(i: int, label: Any) -> None:
    try:
        missing = label is None or bool(label != label) or label == ""  # NaN, as pandas has it
        several = isinstance(label, (list, tuple, set, dict))
    except (TypeError, ValueError):  # an array, or pandas' NA, which is not even unlike itself
        missing, several = False, True
    if several:
        raise MetaglotError(f"label number {i + 1} is {label!r}, not one label; give each text one")
    if missing:
        raise MetaglotError(f"label number {i + 1} is missing; fill it in, or leave the text out")


def check_examples(
    texts: Iterable[str], labels: Iterable[str], pairs: Iterable[str] | None
) -> tuple[list[str], list[str], list[str] | None]:
    """Return `check_labelled`; raise MetaglotError for fewer than two classes too."""
    texts, labels, pairs = check_labelled(texts, labels, pairs)
    if len(set(labels)) < 2:
        raise MetaglotError(f"all examples have the label {labels[0]!r}; give examples of at least two classes")
    return texts, labels, pairs


def check_names(labels: Sequence[str]) -> None:
    """Raise MetaglotError unless these are two distinct labels or more."""
    _strings("label", labels)
    if len(set(labels)) < 2:
        raise MetaglotError(f"{len(set(labels))} label given; a classifier needs at least two")
    if twice := sorted({label for label in labels if list(labels).count(label) > 1}):
        raise MetaglotError(f"the label {twice[0]!r} is given twice")


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
