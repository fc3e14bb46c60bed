"""What a family says of texts that are written: rows to learn from, prompts to go on from, and how much is usual."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from metaglot.data.examples import Inputs
from metaglot.families.prompts import Example, Prompt, Template, template_of
from metaglot.families.writing import decoder_row, source_and_target_row
from metaglot.types import Row


class Format(NamedTuple):
    """How a model reads a task: its template, and how many tokens of source and target it takes together."""

    template: Template
    length: int
    seq2seq: bool = False  # whether an encoder reads the source and a decoder writes the target


@dataclass(frozen=True)
class WriteTools:
    """How sources and targets become tokens, and what is usual where a user says nothing."""

    length: int = 512  # tokens of source and target together, where the model was trained on no other number
    context: int = 1024  # tokens of a prompt with examples in it
    new_tokens: int = 256  # tokens that are written at most

    def format_of(self, tokenizer: Any, *, length: int, seq2seq: bool = False, opening: tuple[int, ...] = ()) -> Format:
        """Return how a model with this tokenizer reads the task; `opening` is what its decoder must begin with."""
        return Format(template_of(tokenizer, seq2seq=seq2seq, opening=opening), length, seq2seq)

    def row(self, form: Format, source: str, target: str, shown: Sequence[Example] = ()) -> Row:
        """Return what a batch has of an example: input_ids and labels.  `shown` are examples before it."""
        whole = form.template.sequence(source, target, shown, length=form.length)
        return source_and_target_row(whole) if form.seq2seq else decoder_row(whole)

    def prompt(self, form: Format, source: str, shown: Sequence[Example] = (), *, length: int) -> Prompt:
        """Return the tokens that a target follows, at most `length` of them."""
        return form.template.prompt(source, shown, length=length)

    def cut(self, form: Format, inputs: Inputs, targets: Sequence[str] | None = None) -> int:
        """Return how many examples, or how many sources, are longer than what is read of them."""
        written = [""] * len(inputs) if targets is None else targets
        wholes = (
            form.template.sequence(s, t, length=form.length) for s, t in zip(source_texts(inputs), written, strict=True)
        )
        return sum(whole.cut for whole in wholes)


def source_texts(inputs: Inputs) -> list[str]:
    """Return the source of each input: its text, and a second text on a line below, where there is one."""
    return [text if not pair else f"{text}\n{pair}" for text, pair in inputs.rows()]
