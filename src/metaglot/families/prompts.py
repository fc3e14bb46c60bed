"""What a decoder is shown of a source and its target: one sequence of tokens, the source first, then the target.

    source · separator · target · end

A tokenizer with a chat template shows the source as what the user says and the target as the reply.  Examples of the
task may stand before the source in the same form.
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
        of_target = [*self.tokens(self.lead + target), self.end]
        room = length - len(self._around()) - min(LEAST, len(self.tokens(source)))
        whole = len(of_target) <= room
        of_target = of_target[: max(1, room)]
        prompt = self.prompt(source, shown, length=length - len(of_target))
        return Whole(prompt.tokens, of_target, prompt.cut or not whole)

    def prompt(self, source: str, shown: Sequence[Example] = (), *, length: int) -> "Prompt":
        """Return the tokens before a target in at most `length` of them, as `sequence` does."""
        begin, reply = self.frame(self.begin), self.frame(self.reply)
        of_source = self.tokens(source)
        room = length - len(self.first) - len(begin) - len(reply)
        kept = of_source[: max(1, room)]
        examples = self._fitting(shown, room - len(kept))
        found = [*self.first, *begin, *(token for one in reversed(examples) for token in one), *kept, *reply]
        return Prompt(found, len(kept) < len(of_source), len(examples))

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of the tokens of a target, up to its end."""
        tokens = list(tokens)
        until = tokens.index(self.end) if self.end in tokens else len(tokens)
        with turn(self.tokenizer):
            return str(self.tokenizer.decode(tokens[:until], skip_special_tokens=True)).strip()

    def _around(self) -> list[int]:
        return [*self.first, *self.frame(self.begin), *self.frame(self.reply)]

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


def template_of(tokenizer: Any) -> Template:
    """Return the template of a tokenizer: its own for chats, or else separators that any tokenizer has."""
    end = next((int(token) for token in (tokenizer.eos_token_id, tokenizer.sep_token_id) if token is not None), None)
    end = filler(tokenizer) if end is None else end
    parts = _chat_parts(tokenizer)
    if parts is not None:
        return Template(tokenizer, *parts, "", (), end)
    return Template(tokenizer, "", SEPARATOR, BETWEEN, LEAD, _leading(tokenizer), end)


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


def _leading(tokenizer: Any) -> tuple[int, ...]:
    """Return the tokens that the tokenizer puts before every text."""
    with turn(tokenizer):
        one = tokenizer("a", return_special_tokens_mask=True)
    count = next((i for i, special in enumerate(one["special_tokens_mask"]) if not special), 0)
    return tuple(int(token) for token in one["input_ids"][:count])
