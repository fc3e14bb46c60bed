"""What a decoder is shown of a source and its target: one sequence of tokens, the source first, then the target.

    source · separator · target · end

A tokenizer with a chat template shows the source as what the user says and the target as the reply.  Examples of the
task may stand before the source in the same form.  An encoder with a decoder reads a source as its tokenizer frames a
text, and writes the target apart from it: checkpoints of T5, BART and Marian learnt so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from metaglot.data.encode import filler
from metaglot.models.turns import turn

SEPARATOR, BETWEEN, LEAD = "\n=>", "\n\n", " "
"""Of a tokenizer without a chat template: between source and target, between examples, and before a target."""
MARKS = ("\ue000", "\ue001", "\ue002")  # characters for private use, which stand in no text
LEAST = 8  # tokens of a source that stay, however long its target is

Example = tuple[str, str]
"""A source and its target."""


class Whole(NamedTuple):
    """The tokens of a prompt, and of the target that follows it."""

    prompt: list[int]
    target: list[int]
    cut: bool  # whether the source or the target is not whole


@dataclass(frozen=True, eq=False)
class Template:
    """The texts around sources and targets, and the tokens at both edges."""

    tokenizer: Any
    begin: str  # before the first source
    reply: str  # between a source and its target
    between: str  # between a target and the next source
    lead: str  # the beginning of every target
    first: tuple[int, ...]  # tokens before everything
    end: int  # the token that ends a target
    last: tuple[int, ...] = ()  # tokens behind a source that an encoder reads
    opening: tuple[int, ...] = ()  # tokens before every target, which the network is made to begin with
    apart: bool = False  # whether an encoder reads the source, so that nothing parts it from its target

    def tokens(self, text: str) -> list[int]:
        """Return the tokens of what a user wrote, in which the name of a special token is a text like any other.

        Otherwise a source with `<|im_end|>` in it would end its own turn, and one could write the reply to itself.
        """
        return self._cut(text, split_special_tokens=True)

    def frame(self, text: str) -> list[int]:
        """Return the tokens of what stands around texts, special ones among them."""
        return self._cut(text, split_special_tokens=False)

    def _cut(self, text: str, *, split_special_tokens: bool) -> list[int]:
        options = {"add_special_tokens": False, "split_special_tokens": split_special_tokens}
        with turn(self.tokenizer):
            return list(self.tokenizer(text, **options)["input_ids"])

    def sequence(self, source: str, target: str, shown: Sequence[Example] = (), *, length: int) -> Whole:
        """Return prompt and target in at most `length` tokens; `shown` are examples, the most useful first.

        Where there is no room, examples are left out, then the source is cut at its end, then the target, which has no
        end token then.
        """
        of_target = [*self.opening, *self.tokens(self.lead + target), self.end]
        room = length - self._around(shown) - min(LEAST, len(self.tokens(source)))
        whole = len(of_target) <= room
        of_target = of_target[: max(1, room)]
        prompt = self.prompt(source, shown, length=length - len(of_target))
        return Whole(prompt.tokens, of_target, prompt.cut or not whole)

    def prompt(self, source: str, shown: Sequence[Example] = (), *, length: int) -> "Prompt":
        """Return the tokens before a target in at most `length` of them, as `sequence` does."""
        begin, reply = self.frame(self.begin), self._reply(shown)
        of_source = self.tokens(source)
        room = length - self._around(shown)
        kept = of_source[: max(1, room)]
        examples = self._fitting(shown, room - len(kept))
        if shown and self.apart and not examples:
            return self.prompt(source, length=length)
        before = [*self.first, *begin, *(token for one in reversed(examples) for token in one)]
        return Prompt([*before, *kept, *reply, *self.last], len(kept) < len(of_source), len(examples))

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of the tokens of a target, up to its end, with the white space at its edges."""
        tokens = list(tokens)
        until = tokens.index(self.end) if self.end in tokens else len(tokens)
        with turn(self.tokenizer):
            return str(self.tokenizer.decode(tokens[:until], skip_special_tokens=True))

    def _reply(self, shown: Sequence[Example]) -> list[int]:
        return self.frame(self.reply) if shown or not self.apart else []

    def _around(self, shown: Sequence[Example]) -> int:
        """Return how many tokens stand around a source."""
        return len([*self.first, *self.frame(self.begin), *self._reply(shown), *self.last])

    def _fitting(self, shown: Sequence[Example], room: int) -> list[list[int]]:
        """Return the tokens of the first examples that fit, each with what stands around it."""
        found: list[list[int]] = []
        reply, between = self.frame(self.reply), self.frame(self.between)
        for source, target in shown:
            tokens = [*self.tokens(source), *reply, *self.tokens(self.lead + target), *between]
            if len(tokens) > room:
                break
            room -= len(tokens)
            found.append(tokens)
        return found


class Prompt(NamedTuple):
    """The tokens before a target."""

    tokens: list[int]
    cut: bool  # whether the source is not whole
    shown: int  # examples that stand before the source


def template_of(tokenizer: Any, *, seq2seq: bool = False, opening: tuple[int, ...] = ()) -> Template:
    """Return the template of a tokenizer: its own for chats, or else separators that any tokenizer has.

    With `seq2seq` an encoder reads the source; `opening` is what its decoder is made to begin with.
    """
    end = next((int(token) for token in (tokenizer.eos_token_id, tokenizer.sep_token_id) if token is not None), None)
    end = filler(tokenizer) if end is None else end
    first, last = _edges(tokenizer)
    if seq2seq:
        return Template(tokenizer, "", SEPARATOR, BETWEEN, "", first, end, last, opening, apart=True)
    parts = _chat_parts(tokenizer)
    if parts is not None:
        return Template(tokenizer, *parts, "", (), end)
    return Template(tokenizer, "", SEPARATOR, BETWEEN, LEAD, first, end)


def _chat_parts(tokenizer: Any) -> tuple[str, str, str] | None:
    """Return what a chat template puts before a source, before its reply, and after that; None without a template."""
    if not getattr(tokenizer, "chat_template", None):
        return None
    first, reply, second = MARKS
    turns = [("user", first), ("assistant", reply), ("user", second)]
    messages = [{"role": role, "content": content} for role, content in turns]
    try:
        whole = str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    except Exception:  # templates are programs, and each has its own way to fail
        return None
    if any(whole.count(mark) != 1 for mark in MARKS):
        return None
    begin, rest = whole.split(first)
    before_reply, rest = rest.split(reply)
    between, after = rest.split(second)
    return begin, before_reply if after.startswith(before_reply) else after, between


def _edges(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the tokens that the tokenizer puts before and behind every text."""
    with turn(tokenizer):
        one = tokenizer("a", return_special_tokens_mask=True)
    tokens, special = [int(token) for token in one["input_ids"]], [bool(mask) for mask in one["special_tokens_mask"]]
    if all(special):
        return tuple(tokens), ()
    begin, behind = special.index(False), special[::-1].index(False)
    return tuple(tokens[:begin]), tuple(tokens[len(tokens) - behind :])
