"""Texts with candidates, of which one or several are right: answers to choose from, replies, documents to rank.

The candidates of a text stand in the place of a second text, as a list in JSON (`as_cell`), so that all that reads
pairs of texts carries them.  The target of a text is a `Choice`: the numbers of the right candidates.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import cast, overload

from metaglot.data.folding import folded
from metaglot.data.labels import is_absent, scalar_of
from metaglot.errors import MetaglotError

NOWHERE = -1  # the number of a candidate of which the text alone is known
FORMS = "the number of the right candidate from 0, its text, or a list of several"
MANY = 1000  # candidates of a text; beyond it stands a whole corpus, which is to be searched first


@dataclass(frozen=True)
class Choice:
    """Which candidate of a text is right, such as the answer to a question or the reply to a message.

    Parameters
    ----------
    number : int
        The number of the candidate, from 0.
    also : tuple of int
        The numbers of other candidates that are right too, ascending.
    text : str
        The candidate, where it was predicted.
    probabilities : tuple of float
        How likely each candidate is, where they were predicted; the sum is one.  Choices are equal whatever the
        text and the probabilities are.

    Examples
    --------
    >>> import metaglot as mg
    >>> choice = mg.Choice(1, text="At noon.", probabilities=(0.25, 0.75))
    >>> choice.probability, choice.ranking
    (0.75, (1, 0))
    >>> choice == mg.Choice(1)
    True
    """

    number: int
    also: tuple[int, ...] = ()
    text: str = field(default="", compare=False)
    probabilities: tuple[float, ...] = field(default=(), compare=False)

    @property
    def right(self) -> tuple[int, ...]:
        """The numbers of all right candidates, ascending."""
        return tuple(sorted({self.number, *self.also}))

    @property
    def probability(self) -> float | None:
        """How likely the candidate is; None where it was not predicted."""
        return self.probabilities[self.number] if self.probabilities else None

    @property
    def ranking(self) -> tuple[int, ...]:
        """The numbers of all candidates, the likeliest first; empty where they were not predicted."""
        return tuple(sorted(range(len(self.probabilities)), key=lambda i: (-self.probabilities[i], i)))


@dataclass(frozen=True)
class Candidates(Sequence[tuple[str, tuple[str, ...]]]):
    """Texts with the candidates of each, in one argument: a function that takes texts takes them too.

    Parameters
    ----------
    texts : list of str
        The texts, such as questions.
    candidates : list of list of str
        The candidates of each text; their number may differ from text to text.

    Raises
    ------
    MetaglotError
        Where the two lists are unlike in length, where a text has no candidates, and for anything but strings.

    Examples
    --------
    >>> import metaglot as mg
    >>> asked = mg.Candidates(["When is it open?"], [["At the market.", "From nine to noon."]])
    >>> len(asked), asked[0]
    (1, ('When is it open?', ('At the market.', 'From nine to noon.')))
    """

    texts: Sequence[str]
    candidates: Sequence[Sequence[str]]

    def __post_init__(self) -> None:
        """Keep both lists as tuples, which nobody can change."""
        texts, lists = _listed("texts", self.texts), _listed("candidates", self.candidates)
        if len(texts) != len(lists):
            raise MetaglotError(f"{len(texts)} texts but {len(lists)} lists of candidates; give one list for each text")
        for i, text in enumerate(texts):
            if not isinstance(text, str):
                raise MetaglotError(f"text number {i + 1} is not a string but {type(text).__name__}: {text!r:.60}")
            check_characters(text, f"text number {i + 1}")
        own = tuple(checked(one, f"the candidates of text number {i + 1}") for i, one in enumerate(lists))
        object.__setattr__(self, "texts", tuple(cast("list[str]", texts)))
        object.__setattr__(self, "candidates", own)

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        return zip(self.texts, map(tuple, self.candidates), strict=True)

    @overload
    def __getitem__(self, index: int) -> tuple[str, tuple[str, ...]]: ...
    @overload
    def __getitem__(self, index: slice) -> "Candidates": ...
    def __getitem__(self, index: int | slice) -> "tuple[str, tuple[str, ...]] | Candidates":
        if isinstance(index, slice):
            return Candidates(self.texts[index], self.candidates[index])
        return self.texts[index], tuple(self.candidates[index])


def checked(values: object, where: str) -> tuple[str, ...]:
    """Return the candidates of a text; raise MetaglotError, which begins with `where`, for what is no list of them."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise MetaglotError(f"{where} are {values!r:.60}, not a list; give a list of strings")
    if isinstance(values, AbstractSet):
        raise MetaglotError(f"{where} are {values!r:.60}, a set, which has no order; give a list of strings")
    items = list(cast("Iterable[object]", values))
    if not items:
        raise MetaglotError(f"{where} are an empty list; give one candidate at least")
    if len(items) > MANY:
        raise MetaglotError(f"{where} are {len(items):,}, and at most {MANY:,} are read; choose some of them by search")
    for number, item in enumerate(items):
        if not isinstance(item, str):
            kind = type(item).__name__
            raise MetaglotError(f"{where}: candidate number {number} is {item!r:.60}, a {kind}; give a string")
        check_characters(item, f"{where}: candidate number {number}")
    return tuple(cast("list[str]", items))


def as_cell(candidates: Sequence[str]) -> str:
    """Return the candidates of a text as `Inputs.pairs` and files have them: a list of JSON."""
    return json.dumps(list(candidates), ensure_ascii=False)


def candidates_in(cell: str | None, where: str) -> tuple[str, ...]:
    """Return the candidates in a cell; raise MetaglotError, which begins with `where`, for a cell that holds none."""
    try:
        values: object = json.loads(cell or "")
    except (ValueError, RecursionError) as error:
        raise MetaglotError(
            f"{where} are {cell!r:.60}, not a list in JSON; give mg.Candidates(texts, candidates), in a file a column "
            'such as candidates with ["one", "two"]'
        ) from error
    return checked(values, where)


def choice_of(value: object, where: str) -> Choice | None:
    """Return the choice that a value means, None where it says that there is none.

    A value is a Choice, the number of the right candidate, its text, which is to be looked up (`placed`), or a list of
    the numbers of several.  Raises MetaglotError, which begins with `where`, for any other value.
    """
    if isinstance(value, Choice):
        if value.number == NOWHERE and value.text:
            return Choice(NOWHERE, text=value.text)
        return Choice(_number(value.number, where), tuple(_number(one, where) for one in value.also))
    if isinstance(value, list | tuple | set | frozenset):
        several = sorted({_number(one, where) for one in cast("Iterable[object]", value)})
        if not several:
            raise MetaglotError(f"{where} is an empty list; give {FORMS}")
        return Choice(several[0], tuple(several[1:]))
    plain = scalar_of(value)
    if is_absent(plain):
        return None
    return Choice(NOWHERE, text=plain) if isinstance(plain, str) else Choice(_number(plain, where))


def placed(choice: Choice, candidates: Sequence[str], where: str) -> Choice:
    """Return a choice with the numbers of its candidates.

    A text is that of a candidate as it stands, or but for case and punctuation.  Raises MetaglotError, which begins
    with `where`, for the text or the number of no candidate, and for a text that several candidates have.
    """
    count = len(candidates)
    if choice.number != NOWHERE:
        if max(choice.right) >= count:
            raise MetaglotError(
                f"{where} is {plain_choice(choice)}, and the text has {count} candidates, numbered from 0 to "
                f"{count - 1}"
            )
        return choice
    rows = [i for i, one in enumerate(candidates) if one == choice.text]
    rows = rows or [i for i, one in enumerate(candidates) if folded(one) == folded(choice.text)]
    if len(rows) != 1:
        what = "which is no candidate of its text" if not rows else f"which candidates {rows[0]} and {rows[1]} are"
        raise MetaglotError(f"{where} is {choice.text!r:.60}, {what}; give {FORMS}")
    return Choice(rows[0])


def plain_choice(choice: Choice) -> int | list[int] | str:
    """Return a choice as JSON, from which `choice_of` makes it again: a number, a list of several, or a text."""
    if choice.number == NOWHERE:
        return choice.text
    return [choice.number, *choice.also] if choice.also else choice.number


def choice_in(cell: object, where: str) -> Choice | None:
    """Return the choice in a cell of a file: a number, or a list of numbers in JSON; None of an empty one."""
    if isinstance(cell, str) and cell.strip().startswith("["):
        try:
            return choice_of(json.loads(cell), where)
        except (ValueError, RecursionError) as error:
            raise MetaglotError(f"{where} is {cell!r:.60}, which is no list of JSON; give {FORMS}") from error
    if isinstance(cell, str) and cell.strip().isdecimal():
        return choice_of(int(cell), where)
    return choice_of(cell, where)


def _number(value: object, where: str) -> int:
    plain = scalar_of(value)
    if isinstance(plain, float) and plain.is_integer():
        plain = int(plain)
    if type(plain) is not int or plain < 0:
        raise MetaglotError(f"{where} is {value!r:.60}, which is the number of no candidate; give {FORMS}")
    return plain


def check_characters(text: str, what: str) -> None:
    """Raise MetaglotError for a text with half of a surrogate pair, or with a byte of an argument that is not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise MetaglotError(f"{what} holds half a character: {error}") from error


def _listed(what: str, values: object) -> list[object]:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise MetaglotError(f"{what}: expected a list, got {values!r:.60}; put one alone into a list")
    return list(cast("Iterable[object]", values))
