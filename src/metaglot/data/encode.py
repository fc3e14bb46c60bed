"""A Hugging Face tokenizer as a function from texts to Arrow lists of token numbers."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from metaglot.errors import MetaglotError

LEAST = 4  # tokens of a text


@dataclass(frozen=True)
class Encoder:
    """Texts, or pairs of texts, to token numbers."""

    tokenizer: Any
    max_length: int  # tokens
    max_chars: int  # a text is cut to so many before it is tokenised
    prompt: str = ""  # the text before every text

    def fingerprint(self) -> str:
        """Return a hash of what decides the tokens; truncation and padding left by earlier calls do not."""
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise MetaglotError(
                f"{type(self.tokenizer).__name__} has no fast backend. Use a model whose folder has a tokenizer.json."
            )
        state: str = backend.to_str()
        state = state[max(0, state.find('"added_tokens"')) :]  # truncation and padding stand before it
        side = str(getattr(self.tokenizer, "truncation_side", "right"))
        side += f"\0{self.prompt}" if self.prompt else ""
        return hashlib.blake2b(f"{side}\0{state}".encode(), digest_size=16).hexdigest()

    @cached_property
    def types_matter(self) -> bool:
        """Whether the tokenizer marks the second text of a pair with other token types."""
        return any(self.tokenizer("a", "b").get("token_type_ids", ()))

    def encode(self, texts: Sequence[str], pairs: Sequence[str | None] | None) -> dict[str, pa.Array]:
        """Return input_ids list<int32> and, for pairs where types matter, token_type_ids list<int8>."""
        ids: list[list[int]] = [[]] * len(texts)
        types: list[list[int]] = [[]] * len(texts)
        paired = pairs or [None] * len(texts)
        for with_pair in (False, True):
            chosen = [i for i, pair in enumerate(paired) if (pair is not None) == with_pair]
            if chosen:
                first = [self.prompt + texts[i][: self.max_chars] for i in chosen]
                second = [str(paired[i])[: self.max_chars] for i in chosen] if with_pair else None
                self._fill(chosen, first, second, ids, types)
        columns = {"input_ids": pa.array(ids, pa.list_(pa.int32()))}
        if pairs is not None and self.types_matter:
            columns["token_type_ids"] = pa.array(types, pa.list_(pa.int8()))
        return columns

    def _fill(
        self,
        at: Sequence[int],
        first: list[str],
        second: list[str] | None,
        ids: list[list[int]],
        types: list[list[int]],
    ) -> None:
        encoded = self.tokenizer(
            first,
            second,
            truncation=True,
            max_length=self.max_length,
            padding=False,
            return_attention_mask=False,
        )
        kinds = encoded.get("token_type_ids")
        for n, i in enumerate(at):
            ids[i] = encoded["input_ids"][n] or [filler(self.tokenizer)]
            types[i] = kinds[n] if kinds is not None and encoded["input_ids"][n] else [0] * len(ids[i])


def check_room(tokenizer: Any, max_length: int, *, prompt: str = "", where: str = "", pair: bool = False) -> None:
    """Raise MetaglotError where special tokens and the prompt leave no room for a text, or for both of a pair."""
    taken = int(tokenizer.num_special_tokens_to_add(pair=pair))
    taken += len(tokenizer(prompt, add_special_tokens=False)["input_ids"]) if prompt else 0
    if taken + (2 if pair else 1) > max_length:
        before, what = f"{where}: " if where else "", "pair of texts" if pair else "text"
        also = " and the prompt" if prompt else ""
        raise MetaglotError(
            f"{before}max_length is {max_length} tokens, and special tokens{also} take {taken} of them, so that "
            f"nothing of a {what} would be read; raise it"
        )


def filler(tokenizer: Any) -> int:
    """Return the token of a text that has none (decoders' tokenizers give an empty text no token at all)."""
    tokens = (tokenizer.eos_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id, 0)
    return next(int(token) for token in tokens if token is not None)
