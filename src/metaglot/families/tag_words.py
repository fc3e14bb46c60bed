"""The words of a window as units: their tokens, the look of each, and its tag.

An encoder that reads all in small letters learns names better with the look of a word beside its features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from metaglot.data.examples import Inputs
from metaglot.data.labels import label_text
from metaglot.data.spans import Spans, checked, plain_span
from metaglot.data.windows import NEITHER, Window, windows
from metaglot.data.words import words
from metaglot.families.records import Schema
from metaglot.types import Row

UNJUDGED = -100  # the tag of a word that another window answers for
SHORT, LONG = 3, 8  # letters
LOOKS = 12


@dataclass(frozen=True)
class WordTools:
    """How the words of a text become units; a span is of all words that it shares a character with."""

    def windows(self, tokenizer: Any, inputs: Inputs, *, max_length: int, prompt: str, where: str) -> list[Window]:
        """Return the windows of the inputs in their order."""
        return windows(tokenizer, inputs, max_length=max_length, prompt=prompt, where=where)

    def apart(self, inputs: Inputs) -> list[tuple[int, str]]:
        """Return no text: all are read in windows."""
        del inputs
        return []

    def row(self, target: Spans | None, schema: Schema, window: Window) -> Row:
        """Return the tokens [W, 2], look [W, 12] and tag [W] of each word that has a token, or is the window's own.

        `others` [W] says which words have a label that the schema leaves out; their tag is O.
        """
        chosen, own = _seen(window)
        spans, types = target or (), {label_text(one): i for i, one in enumerate(schema.outputs)}
        tags = np.full(len(chosen), UNJUDGED)
        tags[own] = tags_of(chosen, spans, types)[own]
        every = tags_of(chosen, spans, dict.fromkeys((span.label for span in spans), 0))
        words = {"words": tokens_of(window, chosen), "looks": looks(window.text, chosen)}
        return {**words, "tags": tags, "others": (tags == 0) & (every > 0)}

    def check(self, text: str, target: Spans, name: str) -> Spans:
        """Return the spans; raise MetaglotError for one that leaves the text, or marks white space alone."""
        checked(target, text, name)
        return target

    def places(self, window: Window) -> np.ndarray:  # [U, 2]
        """Return where the words begin and end that the window answers for."""
        chosen, own = _seen(window)
        return chosen[own]

    def chosen(self, target: Spans | None, cut: Sequence[Window]) -> Window:
        """Return the first window."""
        del target
        return cut[0]

    def beside(self, target: Spans, text: str) -> tuple[list[dict[str, object]], str]:
        """Return each span with its part of the text, as JSON and as "Ann (PER, 0.98)"."""
        sure = [replace(one, probability=one.probability and round(one.probability, 6)) for one in target]
        chances = ["" if one.probability is None else f", {one.probability:.2f}" for one in target]
        parts = [f"{text[one.start : one.end]} ({one.label}{p})" for one, p in zip(target, chances, strict=True)]
        return [plain_span(one, text) for one in sure], "; ".join(parts) or "no span"


def tags_of(places: np.ndarray, spans: Spans, types: Mapping[str, int]) -> np.ndarray:  # [W, 2] -> [W]
    """Return the tag of each word; of a word that two spans share it is that of the first, types not named are O."""
    tags, taken = np.zeros(len(places), np.int64), np.zeros(len(places), bool)
    for span in spans:
        inside = np.flatnonzero((places[:, 0] < span.end) & (places[:, 1] > span.start) & ~taken)
        taken[inside] = True
        if span.label in types and len(inside):
            tags[inside] = 2 + 2 * types[span.label]
            tags[inside[0]] -= 1
    return tags


def tokens_of(window: Window, places: np.ndarray) -> np.ndarray:  # [W, 2] -> [W, 2]
    """Return the first token of each word and one after its last; (0, 0) of a word that no token stands for."""
    tokens = np.flatnonzero((window.part != NEITHER) & (window.part == window.part.max()) & (window.end > window.start))
    start, end = window.start[tokens], window.end[tokens]
    first, last = (np.searchsorted(end, places[:, 0], "right"), np.searchsorted(start, places[:, 1], "left") - 1)
    found = np.zeros((len(places), 2), np.int64)
    there = first <= last
    found[there] = np.stack([tokens[first[there]], tokens[last[there]] + 1], 1)
    return found


def looks(text: str, places: np.ndarray) -> np.ndarray:  # [W, 2] -> [W, 12], 0 or 1
    """Return how words are written: capitals, digits, signs, length, and the place in the text."""
    every = words_in(text)
    first, last = (every[0, 0], every[-1, 0]) if len(every) else (0, 0)
    rows = [_look(text[start:end], start == first, start == last) for start, end in places.tolist()]
    return np.array(rows, np.float32).reshape(len(places), LOOKS)


def _look(word: str, first: bool, last: bool) -> Sequence[bool]:
    upper, many = word.isupper(), len(word) > 1
    capital = word[:1].isupper()
    return (
        capital and not (many and upper),
        many and upper,
        word.islower(),
        any(char.isdigit() for char in word),
        word.isdigit(),
        not any(char.isalnum() for char in word),
        first,
        last,
        len(word) <= SHORT,
        len(word) >= LONG,
        capital and not first,
        not upper and any(char.isupper() for char in word[1:]),
    )


@lru_cache(maxsize=8)  # a long text has many windows
def words_in(text: str) -> np.ndarray:  # [W, 2]
    """Return where the words of a text begin and end."""
    return np.array(words(text), np.int64).reshape(-1, 2)


def _seen(window: Window) -> tuple[np.ndarray, np.ndarray]:  # [W, 2], [W] bool
    """Return the words that the window reads or answers for, and for which of them it answers."""
    every = words_in(window.text)
    own = (every[:, 0] >= window.own[0]) & (every[:, 0] < window.own[1])
    read = tokens_of(window, every)[:, 1] > 0
    return every[own | read], own[own | read]
