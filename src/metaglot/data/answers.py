"""Answers: parts of a passage that answer a question, or the finding that the passage has no answer.

The target of a question and its passage is one answer.  "No answer" is an answer too (`Answer()`); where it is not
known what the answer is, the target is None.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from metaglot.data.labels import Wrapped, is_absent, scalar_of
from metaglot.errors import MetaglotError

LONGEST = 30  # tokens of an answer that is given
NOWHERE = -1  # the place of no answer, and of one whose place is not known
FORMS = 'an Answer, a string, (text, start) or {"text": "Oslo", "start": 10}'


@dataclass(frozen=True)
class Answer:
    """The part of a passage that answers a question; false where the passage has no answer.

    Parameters
    ----------
    text : str, optional
        The part of the passage; "" where the passage has no answer.
    start : int, optional
        The place of its first character in the passage, from 0; -1 where there is no answer.  An answer with a text
        and without a place is looked up in the passage, and the first place that has it is taken.
    end : int, optional
        The place behind its last character; -1 where there is no answer.
    probability : float, optional
        How likely it is, from 0 to 1, where it was predicted.  Answers are equal whatever it is.
    also : tuple of str, optional
        Other texts that are right, which count when predictions are scored.

    Examples
    --------
    >>> import metaglot as mg
    >>> passage = "Ann is in Oslo"
    >>> answer = mg.Answer("Oslo", 10, 14, probability=0.75)
    >>> passage[answer.start : answer.end]
    'Oslo'
    >>> answer == mg.Answer("Oslo", 10, 14)
    True
    >>> bool(mg.Answer())  # no answer
    False
    """

    text: str = ""
    start: int = NOWHERE
    end: int = NOWHERE
    probability: float | None = field(default=None, compare=False)
    also: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is an answer."""
        return bool(self.text)


NO_ANSWER = Answer()


def checked(value: object, passage: str | None, where: str) -> Answer:
    """Return an answer in its one form, without the white space at its edges.

    A value is an Answer, its text, (text, start), (text, start, end), or a mapping with these keys; "" means that
    there is no answer.  Without a passage, an answer without a place keeps none.  Raises MetaglotError, which
    begins with `where`, for any other value, and for a text that does not stand in the passage, or not at its place.
    """
    text, start, end, probability, also = _parts(value, where)
    chance, others = _probability(probability, where), _others(also, where)
    place, last = _place(start, f"{where}: start"), _place(end, f"{where}: end")
    if not isinstance(text, str):
        raise MetaglotError(f"{where} has the text {text!r:.60}, which is no string; give {FORMS}")
    if not text and place == NOWHERE:
        return Answer(probability=chance, also=others)
    found = Answer(text, place, NOWHERE if place == NOWHERE else place + len(text), chance, others)
    if not text.strip() or (last not in (NOWHERE, found.end)):
        raise MetaglotError(
            f"{where} goes from {place} to {last} with the text {text!r:.60} of {len(text)} characters; an answer has "
            "letters or digits, and its end is the place behind its last character"
        )
    return _trimmed(placed(found, passage, where) if passage is not None else found)


def placed(answer: Answer, passage: str, where: str) -> Answer:
    """Return an answer with its place in the passage: the first where it has none yet.

    Raises MetaglotError where its text does not stand there.
    """
    if not answer or (answer.start >= 0 and passage[answer.start : answer.end] == answer.text):
        return answer
    first = passage.find(answer.text)
    if first < 0:
        raise MetaglotError(
            f"{where}: the answer {answer.text!r:.60} does not stand in the passage {_shown(passage)}; an answer is a "
            "part of its passage, letter by letter"
        )
    if answer.start != NOWHERE:
        raise MetaglotError(
            f"{where}: the answer {answer.text!r:.60} is said to start at {answer.start}, where the passage has "
            f"{passage[answer.start : answer.end]!r:.60}; it stands at {first}. Count characters, not bytes, or leave "
            "the start out"
        )
    return replace(answer, start=first, end=first + len(answer.text))


def plain_answer(answer: Answer) -> dict[str, object]:
    """Return an answer as JSON, with its probability and other right texts where there are any."""
    plain: dict[str, object] = {"text": answer.text, "start": answer.start, "end": answer.end}
    if answer.probability is not None:
        plain["probability"] = answer.probability
    return {**plain, "also": list(answer.also)} if answer.also else plain


def as_cell(answer: Answer) -> str:
    """Return an answer as a cell of a table has it, in JSON."""
    return json.dumps(plain_answer(answer), ensure_ascii=False)


def answer_in(cell: str | None, where: str, passage: str | None = None) -> Answer | None:
    """Return the answer of a cell, which is JSON of `as_cell` or the text of an answer; None: an empty cell.

    Raises MetaglotError for JSON that holds no answer, and for one that does not lie in the passage.
    """
    if cell is None or is_absent(cell):
        return None
    value: object = cell
    if cell.lstrip().startswith("{"):
        try:
            value = json.loads(cell)
        except (ValueError, RecursionError) as error:
            raise MetaglotError(f"{where} is {cell!r:.60}, not an answer in JSON; give {FORMS}") from error
    return checked(value, passage, where)


def _parts(value: object, where: str) -> tuple[object, object, object, object, object]:
    """Return text, start, end, probability and other texts of a value."""
    if isinstance(value, Answer):
        return value.text, value.start, value.end, value.probability, value.also
    if isinstance(value, str):
        return value, None, None, None, ()
    if isinstance(value, Mapping):
        given = cast("Mapping[str, object]", value)
        if "text" in given:
            start = given.get("start", given.get("answer_start"))
            if isinstance(given["text"], list | tuple):
                return _first_of(cast("Sequence[object]", given["text"]), start, where)
            return given["text"], start, given.get("end"), given.get("probability"), given.get("also", ())
    if isinstance(value, list | tuple) and len(cast("Sequence[object]", value)) in (2, 3):
        items = cast("Sequence[object]", value)
        return items[0], items[1], items[2] if len(items) == 3 else None, None, ()
    raise MetaglotError(f"{where} is {value!r:.60}, which is no answer; give {FORMS}")


def _first_of(texts: Sequence[object], starts: object, where: str) -> tuple[object, object, object, object, object]:
    """Return the parts of lists of SQuAD: the first text is the answer, and the others are right too."""
    places = cast("Sequence[object]", starts) if isinstance(starts, list | tuple) else [starts] * len(texts)
    if len(places) != len(texts):
        raise MetaglotError(f"{where} has {len(texts)} texts and {len(places)} starts; give one start for each text")
    if not texts:
        return "", None, None, None, ()
    return texts[0], places[0], None, None, tuple(one for one in texts[1:] if one != texts[0])


def _place(value: object, where: str) -> int:
    """Return a place, NOWHERE for none."""
    if value is None:
        return NOWHERE
    if type(value) is not int and isinstance(value, Wrapped) and value.ndim == 0:
        value = value.item()
    if type(value) is not int or value < NOWHERE:
        raise MetaglotError(f"{where} is {value!r:.60}, not a place in the passage; give a whole number from 0, or -1")
    return value


def _probability(value: object, where: str) -> float | None:
    value = scalar_of(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise MetaglotError(f"{where} has the probability {value!r:.60}; give a number from 0 to 1, or leave it out")
    return float(value)


def _others(value: object, where: str) -> tuple[str, ...]:
    items = cast("Sequence[object]", value) if isinstance(value, list | tuple) else None
    if items is None or not all(isinstance(one, str) for one in items):
        raise MetaglotError(f"{where} has {value!r:.60} for other right answers; give a list of their texts")
    return tuple(cast("Sequence[str]", items))


def _trimmed(answer: Answer) -> Answer:
    """Return an answer without white space at its edges."""
    text = answer.text.strip()
    if text == answer.text:
        return answer
    skipped = len(answer.text) - len(answer.text.lstrip())
    if answer.start == NOWHERE:
        return replace(answer, text=text)
    return replace(answer, text=text, start=answer.start + skipped, end=answer.start + skipped + len(text))


def _shown(passage: str) -> str:
    return repr(passage) if len(passage) <= 60 else f"that begins {passage[:60]!r}"
