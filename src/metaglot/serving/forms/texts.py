"""Texts, labels and examples as JSON has them.

What cannot be stored or read is refused here: half characters, the character NUL, numbers that are not finite, and
values that are nested deeply.
"""

from typing import Annotated, Any, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

DEPTH = 3  # of a label: a list of spans, each an object


def _storable(text: str) -> str:
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("has the character NUL or half of a character; leave it out")
    return text


def _printable(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("must be printable, on one line, and not blank")
    return text


def _plain(value: Any, depth: int = DEPTH) -> Any:
    """Return a value of JSON if it is one that can be a label; raise ValueError otherwise."""
    if isinstance(value, str):
        return _storable(value)
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise ValueError("has a number that is not finite")
    if isinstance(value, int) and abs(value) > 2**53:
        raise ValueError("has a whole number beyond 2^53, which not every reader of JSON keeps")
    items = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    for item in cast("list[Any]", items):
        if not depth:
            raise ValueError("is nested too deeply")
        _plain(item, depth - 1)
    return value


Text = Annotated[str, AfterValidator(_storable)]
Title = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_storable), AfterValidator(_printable)]
Label = Annotated[
    Any,
    AfterValidator(_plain),
    Field(
        description="A class; a list of labels; a number; a list of spans, {start, end, label}; an answer, {start, "
        "text}; the number of the right candidate; or the text that is to be written."
    ),
]


class Form(BaseModel):
    """A body: names that it does not know are refused, so that a slip of the pen is not overlooked."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Input(Form):
    """What is read: a text, and where the task needs it its second text or its candidates."""

    text: Text
    pair: Text | None = Field(default=None, description="The second text, such as the passage of a question.")
    candidates: list[Text] | None = Field(default=None, min_length=1, description="What is to be chosen among.")


class Example(Input):
    """A text and what is to be predicted of it."""

    label: Label


AnyInput = Annotated[Text | Input, Field(description="A text, or an object with its second text or candidates.")]


def as_input(one: str | Input) -> Input:
    """Return an input in its long form."""
    return Input(text=one) if isinstance(one, str) else one
