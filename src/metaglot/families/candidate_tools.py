"""Candidates as units: the tokens of a text and of each of its candidates, and what of their words agrees.

The numbers beside the features of an encoder say what it reads worst: names, numbers and times that stand in both.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from metaglot.data.candidates import Choice, candidates_in, placed
from metaglot.data.encode import check_room, filler
from metaglot.data.examples import Inputs
from metaglot.data.folding import folded
from metaglot.data.windows import NEITHER, Window
from metaglot.data.words import words
from metaglot.errors import MetaglotError
from metaglot.families.records import Schema
from metaglot.types import Row

WHERE = "the candidates"
AGREEMENTS = 6
BEFORE = 2  # texts of a row before its candidates: the text and its last line


@dataclass(frozen=True)
class CandidateTools:
    """How the candidates of a text become units: a row has the text and all its candidates, each as a text."""

    def windows(self, tokenizer: Any, inputs: Inputs, *, max_length: int, prompt: str, where: str) -> list[Window]:
        """Return one window for each text: its tokens and those of each candidate, each cut to `max_length`.

        Raises MetaglotError for texts without candidates.
        """
        check_room(tokenizer, max_length, prompt=prompt, where=where)
        cells = check_candidates(inputs)
        lists = [candidates_in(cell, f"{WHERE} of text number {i + 1}") for i, cell in enumerate(cells)]
        before = [(text, last_line(text)) for text in inputs.texts]
        texts = list(dict.fromkeys(one for own in (*before, *lists) for one in own))
        letters = 16 * max_length  # more than any script needs
        begun = [prompt + text[:letters] for text in texts]
        encoded = tokenizer(begun, truncation=True, max_length=max_length)["input_ids"] if texts else []
        ids = {text: own or [filler(tokenizer)] for text, own in zip(texts, encoded, strict=True)}
        return [
            _window(i, cell, first[0], [ids[one] for one in (*first, *own)])
            for i, (first, cell, own) in enumerate(zip(before, cells, lists, strict=True))
        ]

    def apart(self, inputs: Inputs) -> list[tuple[int, str]]:
        """Return each text and each candidate, with the number of the text."""
        cells = check_candidates(inputs)
        lists = [candidates_in(cell, f"{WHERE} of text number {i + 1}") for i, cell in enumerate(cells)]
        both = zip(inputs.texts, lists, strict=True)
        return [(i, part) for i, (text, own) in enumerate(both) for part in dict.fromkeys((text, *own))]

    def row(self, target: Choice | None, schema: Schema, window: Window) -> Row:
        """Return which candidates are right [C] (none, where it is not known), and how their words agree [C, 6]."""
        del schema
        right = np.zeros(len(window.start), np.int64)
        if target is not None:
            right[list(target.right)] = 1
        return {"right": right, "agreements": agreements(window.first, candidates_in(window.text, WHERE))}

    def check(self, text: str, target: Choice, name: str) -> Choice:
        """Return a choice with the number of its candidate; raise MetaglotError where there is none."""
        return placed(target, candidates_in(text, f"{WHERE} of {name}"), name)

    def places(self, window: Window) -> np.ndarray:  # [C, 2]
        """Return the number of each candidate, and the one after it."""
        return np.stack([window.start, window.end], 1)

    def chosen(self, target: Choice | None, cut: Sequence[Window]) -> Window:
        """Return the one window of a text."""
        del target
        return cut[0]

    def beside(self, target: Choice, text: str) -> tuple[dict[str, object], str]:
        """Return a choice with its candidate and all probabilities as JSON, and as "the candidate (0.98)"."""
        chosen = candidates_in(text, WHERE)[target.number]
        plain: dict[str, object] = {"number": target.number, "text": chosen}
        if target.probability is None:
            return plain, chosen
        sure = [round(one, 6) for one in target.probabilities]
        return {
            **plain,
            "probability": sure[target.number],
            "probabilities": sure,
        }, f"{chosen} ({target.probability:.2f})"


def last_line(text: str) -> str:
    """Return the last line of a text that is not empty: of a dialogue, what was said last."""
    return text.strip().rsplit("\n", 1)[-1]


def check_candidates(inputs: Inputs) -> tuple[str, ...]:
    """Return the candidates of texts as cells; raise MetaglotError where texts come alone."""
    if inputs.pairs is None and len(inputs):
        raise MetaglotError(
            "texts came without candidates to choose from; give mg.Candidates(texts, candidates), in a file a column "
            "candidates"
        )
    return inputs.pairs or ()


def agreements(text: str, candidates: Sequence[str]) -> np.ndarray:  # [C, 6]
    """Return numbers from 0 to about 1 on each candidate.

    They are the share of its words that stand in the text, the same beside the words of the text, the same for the last
    line of the text, the share of its words with a digit that stand in the text, whether there are such words, and its
    length as log(1 + words)/4.
    """
    whole, last = _words_of(text), _words_of(last_line(text))
    return np.array([_agreement(whole, last, _words_of(one)) for one in candidates], np.float32)


def _agreement(whole: frozenset[str], last: frozenset[str], own: frozenset[str]) -> list[float]:
    figures = {word for word in own if any(char.isdigit() for char in word)}
    return [
        len(own & whole) / max(1, len(own)),
        len(own & whole) / math.sqrt(max(1, len(own) * len(whole))),
        len(own & last) / math.sqrt(max(1, len(own) * len(last))),
        len(figures & whole) / max(1, len(figures)),
        float(bool(figures)),
        math.log1p(len(own)) / 4,
    ]


@lru_cache(maxsize=4096)  # replies and answers stand in many rows
def _words_of(text: str) -> frozenset[str]:
    plain = folded(text)
    return frozenset(plain[start:end] for start, end in words(plain))


def _window(owner: int, cell: str, first: str, parts: list[list[int]]) -> Window:
    """Return a text with its candidates as a window, whose places are the numbers of the candidates."""
    number = np.arange(len(parts) - BEFORE)
    part = np.full(sum(map(len, parts)), NEITHER)
    return Window(owner, cell, {"input_ids": parts}, part, number, number + 1, (0, len(cell)), first)
