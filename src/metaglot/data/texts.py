"""Texts that a user gives: lists of strings, and `Pairs` of them, checked before anything reads them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeGuard, cast, overload

from metaglot.data.candidates import Candidates, as_cell, check_characters
from metaglot.data.examples import Inputs
from metaglot.errors import MetaglotError

UNLISTED = {"set": "which has no order", "frozenset": "which has no order", "dict": "which has keys"}


@dataclass(frozen=True)
class Pairs(Sequence[tuple[str, str]]):
    """Pairs of texts in one argument: a function that takes texts takes them too.

    Parameters
    ----------
    first : list of str
        The first text of each pair, such as a question.
    second : list of str
        The second text of each pair, such as the passage that it is about.

    Raises
    ------
    MetaglotError
        Where the two lists are unlike in length, or hold anything but strings.

    Examples
    --------
    >>> import metaglot as mg
    >>> pairs = mg.Pairs(["Is it open?", "Is it cold?"], ["It closes at noon.", "Take a coat."])
    >>> len(pairs), pairs[1]
    (2, ('Is it cold?', 'Take a coat.'))
    >>> pairs[:1]
    Pairs(first=('Is it open?',), second=('It closes at noon.',))
    """

    first: Sequence[str]
    second: Sequence[str]

    def __post_init__(self) -> None:
        """Keep both lists as tuples, which nobody can change."""
        first, second = strings("first text", self.first), strings("second text", self.second)
        if len(first) != len(second):
            raise MetaglotError(f"{len(first)} first texts but {len(second)} second texts; give one for each")
        object.__setattr__(self, "first", tuple(first))
        object.__setattr__(self, "second", tuple(second))

    def __len__(self) -> int:
        return len(self.first)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return zip(self.first, self.second, strict=True)

    @overload
    def __getitem__(self, index: int) -> tuple[str, str]: ...
    @overload
    def __getitem__(self, index: slice) -> "Pairs": ...
    def __getitem__(self, index: int | slice) -> "tuple[str, str] | Pairs":
        if isinstance(index, slice):
            return Pairs(self.first[index], self.second[index])
        return self.first[index], self.second[index]


def is_one_pair(texts: object) -> TypeGuard[tuple[str, str]]:
    """Whether it is a tuple of two texts."""
    many = cast("tuple[object, ...]", texts) if isinstance(texts, tuple) else ()
    return len(many) == 2 and all(isinstance(one, str) for one in many)


Texts: TypeAlias = Sequence[str] | Pairs | Candidates
"""What is read: a list of strings (a column of a data frame too), pairs of them, or texts with their candidates."""


def inputs_of(texts: Iterable[str] | Pairs | Candidates, seconds: Iterable[str] | None = None) -> Inputs:
    """Return the texts, each with its second text if there are any.

    A column of a data frame is read in its order, whatever its index is.  Raises MetaglotError for anything but
    strings, for second texts of another number, and for `Pairs` or `Candidates` with further second texts.
    """
    if not isinstance(texts, Pairs | Candidates):
        first = strings("text", texts)
        return Inputs.of(first, None if seconds is None else strings("second text", seconds))
    if seconds is not None:
        kind = type(texts).__name__
        raise MetaglotError(f"second texts were given twice: in `{kind}` and as `pairs`; leave `pairs` out")
    if isinstance(texts, Candidates):
        return Inputs(tuple(texts.texts), tuple(map(as_cell, texts.candidates)))
    return Inputs(tuple(texts.first), tuple(texts.second))


def strings(what: str, values: Iterable[str]) -> list[str]:
    """Return a list of strings; raise MetaglotError for anything else, and for halves of characters."""
    texts = listed(what, values)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise MetaglotError(f"{what} number {i + 1} is not a string but {type(text).__name__}: {text!r}")
        check_characters(text, f"{what} number {i + 1}")
    return texts


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


def empty_rows(texts: Sequence[str], pairs: Sequence[str] | None = None) -> list[int]:
    """Return the rows whose text, and second text if there is one, is white space."""
    return [i for i, text in enumerate(texts) if not text.strip() and not (pairs and pairs[i].strip())]


def check_not_all_empty(texts: Sequence[str], pairs: Sequence[str] | None = None) -> None:
    """Raise MetaglotError where no text says anything, so that nothing can be learnt."""
    if len(empty_rows(texts, pairs)) == len(texts):
        raise MetaglotError(
            f"all {len(texts)} texts are empty, so that nothing can be learnt; give texts that have words"
        )
