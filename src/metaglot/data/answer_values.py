"""Answers as files have them: a text and its place, lists of several, in the names of SQuAD and its kin."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, cast

from metaglot.data.answers import NO_ANSWER, NOWHERE, Answer, checked
from metaglot.data.labels import Wrapped, is_absent, scalar_of
from metaglot.data.literals import literal
from metaglot.errors import MetaglotError

_STARTS = ("answer_start", "start")  # names of the place of an answer


class Oddities(NamedTuple):
    """Answers that were bent, by how."""

    trimmed: int = 0  # white space at an edge is left out
    converted: int = 0  # places counted in UTF-16, as JavaScript does
    several: int = 0  # texts without a place that stand in their passage more than once
    empty: int = 0  # cells that are empty and do not say why

    def plus(self, other: "Oddities") -> "Oddities":
        """Return the sums."""
        return Oddities(*(a + b for a, b in zip(self, other, strict=True)))

    def notes(self) -> tuple[str, ...]:
        """Return a note on each kind."""
        notes = {
            f"{self.trimmed} answers had white space at an edge, which is left out": self.trimmed,
            f"{self.converted} answers count places as JavaScript does (UTF-16) and are read so": self.converted,
            f"{self.several} answers without a start stand in their passage more than once; the first place is taken; "
            "a column answer_start says which one is meant": self.several,
            f"{self.empty} questions have an empty answer, which is read as: the passage has no answer; leave out "
            "questions whose answer is not known": self.empty,
        }
        return tuple(note for note, count in notes.items() if count)


class Given(NamedTuple):
    """What a row of a file says of an answer."""

    value: object  # of the column of answers
    start: object = None  # of the column of places
    impossible: object = None  # of the column that says that there is no answer


def looks_like_answers(value: object) -> bool:
    """Whether a value is {"text": […], "answer_start": […]}, or a list of {"text": …, "answer_start": …}."""
    value = _literal(value) if isinstance(value, str) else value
    items = cast("Sequence[object]", value) if isinstance(value, list | tuple) else [value]
    return bool(items) and all(
        isinstance(one, Mapping) and "text" in one and any(name in one for name in _STARTS) for one in items
    )


def answer_of(given: Given, passage: str, where: str) -> tuple[Answer, Oddities]:
    """Return the answer of a row, and how it was bent; the first of several is it, and the others count as right too.

    Raises MetaglotError, which begins with `where`, for what is no answer or does not lie in the passage.
    """
    if _says_yes(given.impossible, where):
        return NO_ANSWER, Oddities()
    pairs = [(text, start) for text, start in _pairs(given, where, passage) if not _is_none(text, start, where)]
    if not pairs:
        is_silent = is_absent(scalar_of(given.value)) and is_absent(scalar_of(given.start)) and given.impossible is None
        return NO_ANSWER, Oddities(empty=int(is_silent))
    odd = Oddities()
    found: dict[str, Answer] = {}
    for text, start in pairs:
        answer, more = _one(text, start, passage, where)
        found.setdefault(answer.text, answer)
        odd = odd.plus(more)
    first, *others = found.values()
    return replace(first, also=tuple(one.text for one in others)), odd


def _pairs(given: Given, where: str, passage: str) -> list[tuple[object, object]]:
    """Return the texts that are right, each with its place; None where a place is not given.

    A string such as "[1]" is a list, or the text of an answer where the passage has it letter by letter.
    """
    value = _literal(given.value) if isinstance(given.value, str) else scalar_of(given.value)
    if isinstance(given.value, str) and value and given.value.strip() in passage:
        value = given.value
    start = _literal(given.start) if isinstance(given.start, str) else scalar_of(given.start)
    if isinstance(value, Mapping):
        own = cast("Mapping[str, object]", value)
        if "text" not in own:
            raise MetaglotError(f"{where} is {value!r:.60}, which has no key text; give {_FORM}")
        value, start = own["text"], next((own[name] for name in _STARTS if own.get(name) is not None), None)
    if is_absent(value) or isinstance(value, str):
        return [] if value is None and is_absent(start) else [(value or "", start)]
    if not isinstance(value, list | tuple):
        raise MetaglotError(f"{where} is {value!r:.60}, which is no answer; give {_FORM}")
    texts = cast("Sequence[object]", value)
    if texts and all(isinstance(one, Mapping) for one in texts):
        return [pair for one in texts for pair in _pairs(Given(one), where, passage)]
    starts = cast("Sequence[object]", start) if isinstance(start, list | tuple) else [None] * len(texts)
    if len(starts) != len(texts):
        raise MetaglotError(f"{where} has {len(texts)} texts and {len(starts)} starts; give one start for each text")
    return list(zip(texts, starts, strict=True))


_FORM = 'the text of the answer, or {"text": ["Oslo"], "answer_start": [10]}'


def _one(text: object, start: object, passage: str, where: str) -> tuple[Answer, Oddities]:
    """Return one right answer with its place in the passage."""
    if not isinstance(text, str):
        raise MetaglotError(f"{where} has the text {text!r:.60}, which is no string; give {_FORM}")
    place = _place(start, where)
    if place == NOWHERE:
        several = passage.find(text, passage.find(text) + 1) >= 0
        return checked(text, passage, where), Oddities(several=int(several), trimmed=int(text != text.strip()))
    right = _in_characters(text, place, passage)
    answer = checked((text, right), passage, where)
    return answer, Oddities(trimmed=int(text != text.strip()), converted=int(right != place))


def _in_characters(text: str, place: int, passage: str) -> int:
    """Return a place that counts UTF-16 units as one that counts characters, where the passage says so."""
    if passage.isascii() or passage[place : place + len(text)] == text:
        return place
    units = passage.encode("utf-16-le", "surrogatepass")
    other = len(units[: 2 * place].decode("utf-16-le", "replace"))
    return other if passage[other : other + len(text)] == text else place


def _is_none(text: object, start: object, where: str) -> bool:
    """Whether a text and its place say that there is no answer; raise MetaglotError where they contradict."""
    if isinstance(text, str) and not text.strip():
        return True
    if start is not None and _place(start, where) == NOWHERE and not is_absent(start):
        raise MetaglotError(
            f"{where} has the text {text!r:.60} and the start -1, which says that there is no answer; leave one of "
            "them empty"
        )
    return False


def _place(value: object, where: str) -> int:
    """Return a place, which may be written as a string or as 10.0; NOWHERE for none."""
    if isinstance(value, Wrapped) and value.ndim == 0:
        value = value.item()
    if is_absent(value):
        return NOWHERE
    try:
        number = float(str(value))
    except ValueError:
        number = 0.5
    if isinstance(value, bool) or not number.is_integer() or not NOWHERE <= number < 10**12:
        raise MetaglotError(f"{where} starts at {value!r:.60}, which is no place; give a whole number from 0, or -1")
    return int(number)


def _says_yes(value: object, where: str) -> bool:
    """Whether a cell says that there is no answer."""
    plain = scalar_of(value)
    text = str(plain).strip().lower()
    if plain is None or text in ("", "false", "0", "0.0", "no"):
        return False
    if text in ("true", "1", "1.0", "yes"):
        return True
    raise MetaglotError(f"{where}: is_impossible is {value!r:.60}; write true or false")


def _literal(text: str) -> object:
    """Return the list or the object that a text is; the text itself where it is none."""
    return literal(text) if text.lstrip()[:1] in ("[", "{") else text
