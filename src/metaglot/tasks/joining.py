"""Joins two tokenised texts as a tokenizer joins a pair, from token numbers alone.

encoders: [CLS] a [SEP] b [SEP], with token types where the model has them; decoders: a, the separator, b
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from metaglot.data.encode import filler
from metaglot.types import Row


class Special(NamedTuple):
    """A special token and its type."""

    token: int
    kind: int = 0


class Joining(NamedTuple):
    """The special tokens around one text and around a pair."""

    max_length: int  # tokens of a pair
    before: tuple[Special, ...] = ()
    between: tuple[Special, ...] = ()
    after: tuple[Special, ...] = ()
    kinds: tuple[int, int] = (0, 0)  # token types of the two texts
    strip: tuple[int, int] = (0, 0)  # special tokens at the beginning and the end of a single text
    has_types: bool = False  # whether rows have token types

    def join(self, first: Row, second: Row) -> dict[str, Any]:
        """Return input_ids (and token_type_ids) of the pair; the longer text is cut until both fit."""
        first_ids, second_ids = self._without_specials(first), self._without_specials(second)
        room = self.max_length - len(self.before) - len(self.between) - len(self.after)
        first_length, second_length = fitting_lengths(len(first_ids), len(second_ids), room)
        parts = [
            _ids(self.before),
            first_ids[:first_length],
            _ids(self.between),
            second_ids[:second_length],
            _ids(self.after),
        ]
        row: dict[str, Any] = {"input_ids": np.concatenate(parts)}
        if self.has_types:
            kinds = [[s.kind for s in self.before], [self.kinds[0]] * first_length, [s.kind for s in self.between]]
            kinds += [[self.kinds[1]] * second_length, [s.kind for s in self.after]]
            row["token_type_ids"] = np.array([kind for part in kinds for kind in part], dtype=np.int64)
        return row

    def _without_specials(self, row: Row) -> np.ndarray:
        ids = np.asarray(row["input_ids"], dtype=np.int64)
        return ids[self.strip[0] : len(ids) - self.strip[1]]


def fitting_lengths(first: int, second: int, room: int) -> tuple[int, int]:
    """Return how many tokens of each text are kept: the longer text is cut first; then each has half the room."""
    if first + second <= room:
        return first, second
    half = room // 2
    if min(first, second) <= half:
        return (first, room - first) if first <= second else (room - second, second)
    # Both are longer than half: an odd token goes to the longer text, or to the second if they are equal.
    return (room - half, half) if first > second else (half, room - half)


def joining_of(tokenizer: Any, *, max_length: int) -> Joining:
    """Return how a fast tokenizer joins pairs, as seen in a pair that it joined.

    Where the tokenizer of a decoder puts no token between the texts, its end-of-text token is put there.
    """
    single = tokenizer("a", return_special_tokens_mask=True)["special_tokens_mask"]
    pair = tokenizer("a", "b", return_special_tokens_mask=True, return_token_type_ids=True)
    owners: list[int | None] = list(pair.sequence_ids(0))
    tokens = [
        Special(int(token), int(kind)) for token, kind in zip(pair["input_ids"], pair["token_type_ids"], strict=True)
    ]
    first_start, second_start = owners.index(0), owners.index(1)
    first_end, second_end = len(owners) - 1 - owners[::-1].index(0), len(owners) - 1 - owners[::-1].index(1)
    kinds = (tokens[first_start].kind, tokens[second_start].kind)
    return Joining(
        max_length,
        before=tuple(tokens[:first_start]),
        between=tuple(tokens[first_end + 1 : second_start]) or (Special(filler(tokenizer)),),
        after=tuple(tokens[second_end + 1 :]),
        kinds=kinds,
        strip=(_count_leading(single), _count_leading(single[::-1])),
        has_types=any(token.kind for token in tokens),
    )


def _count_leading(special: Sequence[int]) -> int:
    return next((i for i, flag in enumerate(special) if not flag), len(special))


def _ids(specials: Sequence[Special]) -> np.ndarray:
    return np.array([special.token for special in specials], dtype=np.int64)
