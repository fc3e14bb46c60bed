"""What is asked, cut into pieces of bounded work: no request holds the model for long, or fills the memory.

Work is counted in short texts.  A text of a task that reads whole texts counts by what is read of it, one that is read
in windows by all its characters, and one with candidates by what is read beside each of them.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from metaglot.adaptation import Adapted
from metaglot.data.texts import inputs_of
from metaglot.errors import MetaglotError
from metaglot.serving.engine import Options, Request
from metaglot.serving.engine.reading import moved_by
from metaglot.serving.examples import FieldError, given, numbered
from metaglot.serving.forms.texts import Input

MOST = 64  # short texts of a piece; a longer text is a piece of its own
LETTERS = 128  # characters of a short text
A_TOKEN = 4  # characters, about
MOVED = 8  # short texts that a pass of a body of its own costs (docs/serving.md)
WRITTEN = 16  # short texts that a text costs which is written


class Ask(NamedTuple):
    """Texts for one adaptation."""

    digest: str
    inputs: Sequence[Input]
    options: Options = Options()
    fields: Sequence[str] | None = None  # the name that each input has in the request; if absent, inputs.0 and so on

    def named(self) -> Sequence[str]:
        """Return the name that each input has in the request."""
        return numbered("inputs", len(self.inputs)) if self.fields is None else self.fields


class Piece(NamedTuple):
    """Some texts of an ask, and how much work they are."""

    ask: int  # its number
    inputs: Sequence[Input]
    request: Request
    size: int  # short texts


def pieces_of(task: Adapted, ask: Ask, number: int) -> Iterator[Piece]:
    """Yield the texts of an ask that are not blank; raise FieldError where they do not fit the task."""
    fields = ask.named()
    given(ask.inputs, task.fit.family, fields)
    read = [one for one in ask.inputs if not is_blank(one)]
    if read:
        try:
            _request(task, read, ask, fields).check()
        except MetaglotError as error:
            raise FieldError(fields[0].partition(".")[0], str(error)) from error
    least = MOVED if moved_by(task.fit) else 0
    for some, size in cut(read, [work_of(one, task) for one in read], MOST - least):
        yield Piece(number, some, _request(task, some, ask, fields), least + size)


def is_blank(one: Input) -> bool:
    """Whether an input has no text, so that nothing is predicted."""
    return not one.text.strip() and not (one.pair or "").strip()


def cut(items: Sequence[Any], sizes: Sequence[int], most: int) -> Iterator[tuple[list[Any], int]]:
    """Yield items in runs of a bounded size, with the size; an item that is larger is a run of its own."""
    some, whole = list[Any](), 0
    for item, size in zip(items, sizes, strict=True):
        if some and whole + size > most:
            yield some, whole
            some, whole = [], 0
        some.append(item)
        whole += size
    if some:
        yield some, whole


def work_of(one: Input, task: Adapted) -> int:
    """Return as how many short texts an input counts."""
    family, read = task.fit.family, A_TOKEN * task.fit.encoder.max_length
    if family.writes is not None:
        return WRITTEN
    if one.candidates is not None:
        return sum(short_texts(min(read, len(one.text) + len(other))) for other in one.candidates)
    length = len(one.text) + len(one.pair or "")
    return short_texts(length if family.tokens is not None else min(read, length))


def short_texts(characters: int) -> int:
    """Return how many short texts so many characters are, one at least."""
    return max(1, -(-characters // LETTERS))


def _request(task: Adapted, inputs: Sequence[Input], ask: Ask, fields: Sequence[str]) -> Request:
    texts, pairs = given(inputs, task.fit.family, fields)
    return Request(task, inputs_of(texts, pairs), ask.options)
