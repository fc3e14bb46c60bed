"""Texts as windows of tokens, each token with the characters that it stands for.

A text that is longer than a window is read by several that overlap.  Each window answers for a stretch of the text,
from the middle of one overlap to the middle of the next, so that every character has one window, and context on both
sides.  Of a pair of texts the second is cut into windows, and the first stands before each of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from metaglot.data.encode import check_room, filler
from metaglot.data.examples import Inputs
from metaglot.errors import MetaglotError

NEITHER = -1  # the part of a token that is of no text: a special token, or one of the prompt
OVERLAP = 4  # a window shares one token in so many with the next


@dataclass(frozen=True)
class Window:
    """Some tokens of an input, in order."""

    owner: int  # the number of the input
    text: str  # the text that is cut into windows
    tokens: Mapping[
        str, list[int] | list[list[int]]
    ]  # input_ids and, of some tokenizers for pairs, token_type_ids: [T]
    part: np.ndarray  # [T], 0: of the text, 1: of the second text, -1: of neither
    start: np.ndarray  # [T], the first character of each token in its text
    end: np.ndarray  # [T], one after the last
    own: tuple[int, int]  # characters of the text that this window answers for
    first: str = ""  # the text that a list of candidates is for


def windows(tokenizer: Any, inputs: Inputs, *, max_length: int, prompt: str = "", where: str = "") -> list[Window]:
    """Return the windows of the inputs in their order, of at most `max_length` tokens; one at least for each input.

    Raises MetaglotError where the first text of a pair leaves no room for the second, and for a tokenizer that does
    not know what its tokens stand for.
    """
    paired = inputs.pairs is not None
    check_room(tokenizer, max_length, prompt=prompt, where=where, pair=paired)
    if not tokenizer.is_fast:
        raise MetaglotError(
            f"{where or type(tokenizer).__name__}: its tokenizer does not say which characters a token is"
        )
    encodings = [
        _encoded(tokenizer, prompt + text, pair, max_length, f"{where}: " if where else "")
        for text, pair in inputs.rows()
    ]
    found: list[Window] = []
    for owner, (whole, (text, pair)) in enumerate(zip(encodings, inputs.rows(), strict=True)):
        cut = text if pair is None else pair
        parts = [_window(owner, cut, one, len(prompt), paired) for one in (whole, *whole.overflowing)]
        found += _with_borders(parts, int(paired))
    return [window if window.tokens["input_ids"] else _filled(window, tokenizer) for window in found]


def _encoded(tokenizer: Any, text: str, pair: str | None, max_length: int, where: str) -> Any:
    room = max_length - int(tokenizer.num_special_tokens_to_add(pair=pair is not None))
    stride = room // OVERLAP
    if pair is not None:
        taken = len(tokenizer(text, add_special_tokens=False)["input_ids"])
        if room - taken < 8:
            raise MetaglotError(
                f"{where}the first text of a pair takes {taken} of {max_length} tokens, which leaves no room for the "
                "second; shorten it, or raise max_length"
            )
        stride = (room - taken) // OVERLAP
    return tokenizer(
        text,
        pair,
        truncation=True if pair is None else "only_second",
        max_length=max_length,
        stride=stride,
        return_overflowing_tokens=True,
        return_attention_mask=False,
    ).encodings[0]


def _window(owner: int, text: str, encoding: Any, prompt: int, paired: bool) -> Window:
    part = np.array([NEITHER if of is None else of for of in encoding.sequence_ids], dtype=np.int64)
    start, end = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2).T.copy()
    first = part == 0
    start[first], end[first] = start[first] - prompt, end[first] - prompt
    part[first & (end <= 0)] = NEITHER
    tokens = {"input_ids": list(encoding.ids)}
    if paired and any(encoding.type_ids):
        tokens["token_type_ids"] = list(encoding.type_ids)
    return Window(owner, text, tokens, part, np.maximum(start, 0), np.maximum(end, 0), (0, 0))


def _with_borders(parts: Sequence[Window], which: int) -> list[Window]:
    """Return the windows of one input, each with the characters that it answers for."""
    borders = [0]
    for before, after in pairwise(parts):
        shared = after.start[(after.part == which) & (after.start < before.end[before.part == which].max(initial=0))]
        borders.append(int(shared[len(shared) // 2]) if len(shared) else borders[-1])
    edges = zip(borders, [*borders[1:], len(parts[0].text)], strict=True)
    return [replace(one, own=own) for one, own in zip(parts, edges, strict=True)]


def _filled(window: Window, tokenizer: Any) -> Window:
    """Return a window of one token that stands for nothing: some tokenizers give an empty text no token at all."""
    nothing = np.zeros(1, dtype=np.int64)
    return replace(
        window, tokens={"input_ids": [filler(tokenizer)]}, part=np.full(1, NEITHER), start=nothing, end=nothing
    )
