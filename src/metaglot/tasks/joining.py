"""Two tokenised texts joined as a tokenizer joins a pair, from token numbers alone.

encoders: [CLS] a [SEP] b [SEP], with token types where the model has them; decoders: a, what the tokenizer puts, b
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
    """Where special tokens stand around one text and around a pair."""

    max_length: int  # tokens of a pair
    before: tuple[Special, ...] = ()
    between: tuple[Special, ...] = ()
    after: tuple[Special, ...] = ()
    kinds: tuple[int, int] = (0, 0)  # token types of the two texts
    strip: tuple[int, int] = (0, 0)  # special tokens at the beginning and the end of a single text
    typed: bool = False  # whether rows have token types

    def join(self, first: Row, second: Row) -> dict[str, Any]:
        """Return input_ids (and token_type_ids) of the pair; the longer text is cut until both fit."""
        a, b = self._bare(first), self._bare(second)
        room = self.max_length - len(self.before) - len(self.between) - len(self.after)
        keep_a, keep_b = fitted(len(a), len(b), room)
        parts = [_ids(self.before), a[:keep_a], _ids(self.between), b[:keep_b], _ids(self.after)]
        row: dict[str, Any] = {"input_ids": np.concatenate(parts)}
        if self.typed:
            kinds = [[s.kind for s in self.before], [self.kinds[0]] * keep_a, [s.kind for s in self.between]]
            kinds += [[self.kinds[1]] * keep_b, [s.kind for s in self.after]]
            row["token_type_ids"] = np.array([kind for part in kinds for kind in part], dtype=np.int64)
        return row

    def _bare(self, row: Row) -> np.ndarray:
        ids = np.asarray(row["input_ids"], dtype=np.int64)
        return ids[self.strip[0] : len(ids) - self.strip[1]]


def fitted(first: int, second: int, room: int) -> tuple[int, int]:
    """Return how many tokens of each text are kept: the longer loses until both fit, then each has half the room."""
    if first + second <= room:
        return first, second
    half = room // 2
    if min(first, second) <= half:
        return (first, room - first) if first <= second else (room - second, second)
    # Where both are longer than half, an odd token goes to the longer one; to the second where they are equal.
    return (room - half, half) if first > second else (half, room - half)


def joining_of(tokenizer: Any, *, max_length: int) -> Joining:
    """Return how a fast tokenizer joins pairs, as it shows in a pair of its own; a decoder's that puts nothing
    between the texts gets its end-of-text token there.
    """
    one = tokenizer("a", return_special_tokens_mask=True)["special_tokens_mask"]
    pair = tokenizer("a", "b", return_special_tokens_mask=True, return_token_type_ids=True)
    whose: list[int | None] = list(pair.sequence_ids(0))
    tokens = [Special(int(t), int(k)) for t, k in zip(pair["input_ids"], pair["token_type_ids"], strict=True)]
    a, b = whose.index(0), whose.index(1)
    last_a, last_b = len(whose) - 1 - whose[::-1].index(0), len(whose) - 1 - whose[::-1].index(1)
    kinds = (tokens[a].kind, tokens[b].kind)
    return Joining(
        max_length,
        before=tuple(tokens[:a]),
        between=tuple(tokens[last_a + 1 : b]) or (Special(filler(tokenizer)),),
        after=tuple(tokens[last_b + 1 :]),
        kinds=kinds,
        strip=(_leading(one), _leading(one[::-1])),
        typed=any(token.kind for token in tokens),
    )


def _leading(special: Sequence[int]) -> int:
    return next((i for i, flag in enumerate(special) if not flag), len(special))


def _ids(specials: Sequence[Special]) -> np.ndarray:
    return np.array([special.token for special in specials], dtype=np.int64)
