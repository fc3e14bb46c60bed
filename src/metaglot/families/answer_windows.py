"""The tokens of a passage as places of answers, window by window.

The first token of a window stands for "no answer".  Behind it come the tokens of the passage that the window shows, the
ones that it shares with other windows too, since an answer may cross the middle between two windows.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaglot.data.answers import Answer, placed, plain_answer
from metaglot.data.examples import Inputs
from metaglot.data.windows import NEITHER, Window, windows
from metaglot.data.words import unseen_runs
from metaglot.errors import MetaglotError
from metaglot.families.heads.answers import HIDDEN
from metaglot.families.records import Schema
from metaglot.types import Row

NOWHERE = -1  # the characters of the place of "no answer"
WITHOUT = 5  # of so many training examples whose passage has several windows, one is read in a window without answer


@dataclass(frozen=True)
class AnswerTools:
    """How the tokens of a passage become places of answers."""

    def windows(self, tokenizer: Any, inputs: Inputs, *, max_length: int, prompt: str, where: str) -> list[Window]:
        """Return the windows of the passages in their order, the question before each of them.

        A question is read up to half the length of a window.  Raises MetaglotError for questions without passages.
        """
        if inputs.pairs is None:
            raise MetaglotError(
                "a task of question-answering reads questions and their passages, and no passages were given; give "
                "mg.Pairs(questions, passages), or in a file the columns question and context"
            )
        short = Inputs(_shortened(tokenizer, inputs.texts, max_length // 2), inputs.pairs)
        return windows(tokenizer, short, max_length=max_length, prompt=prompt, where=where)

    def apart(self, inputs: Inputs) -> list[tuple[int, str]]:
        """Return no text: passages are read in windows."""
        del inputs
        return []

    def row(self, target: Answer | None, schema: Schema, window: Window) -> Row:
        """Return which tokens are places [T], 0 or 1, and the first and last token of the answer, 0 for none.

        The place of "no answer" is `HIDDEN` where the passage has an answer that this window does not show whole.
        """
        del schema
        tokens, answer = passage_tokens(window), tokens_of(target, window, passage_tokens(window))
        places = np.zeros(len(window.part), np.int64)
        places[0] = HIDDEN if target and answer == (0, 0) else 1
        places[tokens] = 1
        return {"places": places, "answer": answer}

    def check(self, text: str, target: Answer, name: str) -> Answer:
        """Return an answer with its place; raise MetaglotError for one that does not stand in its passage."""
        return placed(target, text, name)

    def places(self, window: Window) -> np.ndarray:  # [U, 2]
        """Return the characters of each place, in the order of the objective's units; −1 for "no answer"."""
        tokens = passage_tokens(window)
        where = np.stack([window.start[tokens], window.end[tokens]], 1)
        return np.concatenate([np.full((1, 2), NOWHERE), where])

    def beside(self, target: Answer, text: str) -> tuple[object, str]:
        """Return an answer as JSON, and as "Oslo (0.98)"."""
        del text
        chance = "" if target.probability is None else f" ({target.probability:.2f})"
        plain = plain_answer(target)
        if target.probability is not None:
            plain["probability"] = round(target.probability, 6)
        return plain, f"{target.text or 'no answer'}{chance}"

    def chosen(self, target: Answer | None, cut: Sequence[Window]) -> Window:
        """Return the window that training reads: the first that has the answer, now and then one that has not."""
        having = [bool(tokens_of(target, window, passage_tokens(window))[0]) for window in cut]
        wanted = zlib.crc32(str(cut[0].tokens["input_ids"]).encode()) % WITHOUT > 0
        return cut[having.index(wanted)] if wanted in having else cut[0]


def _shortened(tokenizer: Any, questions: Sequence[str], most: int) -> tuple[str, ...]:
    """Return the questions, those of more tokens than `most` up to there; others are not even tokenised."""
    cut = list(questions)
    long = [i for i, question in enumerate(questions) if len(question.encode()) > most]
    encoded = tokenizer([questions[i] for i in long], add_special_tokens=False, verbose=False).encodings if long else ()
    for i, one in zip(long, encoded, strict=True):
        if len(one.ids) > most:
            cut[i] = questions[i][: one.offsets[most - 1][1]]
    return tuple(cut)


def passage_tokens(window: Window) -> np.ndarray:  # [P]
    """Return the tokens of the passage: of the second text of a pair, and never the first token of the window."""
    there = (window.part != NEITHER) & (window.part == window.part.max()) & (window.end > window.start)
    return np.flatnonzero(there & (np.arange(len(there)) > 0))


def _is_seen(text: str) -> bool:
    """Whether a text has more than marks and signs for which a tokenizer may have no token."""
    return sum(found.end() - found.start() for found in unseen_runs(text)) < len(text)


def tokens_of(target: Answer | None, window: Window, tokens: np.ndarray) -> tuple[int, int]:
    """Return the first and the last token of an answer; 0 and 0 where the window does not show all of it."""
    if not target or target.start < 0 or not len(tokens):
        return 0, 0
    start, end, text = window.start[tokens], window.end[tokens], window.text
    if _is_seen(text[target.start : start[0]]) or _is_seen(text[end[-1] : target.end]):
        return 0, 0
    first, last = np.searchsorted(end, target.start, "right"), np.searchsorted(start, target.end, "left") - 1
    return (int(tokens[first]), int(tokens[last])) if first <= last else (0, 0)
