"""Which part of a passage is the answer, over all of its windows, and how likely it is.

    odds_w(i, j) = exp(s_i + e_j − s_0 − e_0),      P(i, j) = odds(i, j) / (1 + Σ odds),      P(none) = 1 / (1 + Σ odds)

Each window says how likely a part is beside "no answer" (place 0) in that window.  Where windows err independently and
at most one part is right, these odds are those over all windows; a part that stands in two windows has the larger ones.
The answer is the part x of the largest expected F1, Σ_y P(y) F1(x, y) over the likeliest parts x and y, in characters:
where several parts that overlap are about as likely, their middle.  None is given where P(none) is larger.  A head that
examples made surer or less sure, by a factor t, chooses the part as it was before: P(y) ∝ odds(y)^(1/t) there.  Parts
begin and end with words.  Minimum Bayes risk: Kumar and Byrne 2004, https://aclanthology.org/N04-1022
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from metaglot.data.answers import LONGEST, Answer
from metaglot.data.words import unseen_runs, words

LIKELY = 20  # parts that are compared with each other


class Part(NamedTuple):
    """The places of one window."""

    scores: np.ndarray  # [U, 2], as first and as last place; the first is that of "no answer"
    start: np.ndarray  # [U], characters
    end: np.ndarray  # [U]


class Spans(NamedTuple):
    """Parts of a passage, each once."""

    start: np.ndarray  # [S]
    end: np.ndarray  # [S]
    log_odds: np.ndarray  # [S], beside "no answer"


def best_answer(passage: str, parts: Sequence[Part], sharp: float = 1.0) -> Answer:
    """Return the answer, or that there is none, with its probability; `sharp` is t."""
    spans = spans_of(passage, parts) if parts else Spans(*(np.zeros(0) for _ in Spans._fields))
    if not len(spans.start):
        return Answer(probability=1.0)
    top = max(0.0, float(spans.log_odds.max()))
    total = np.exp(-top) + np.exp(spans.log_odds - top).sum()
    none, chances = float(np.exp(-top) / total), np.exp(spans.log_odds - top) / total
    likely = np.argsort(-chances, kind="stable")[:LIKELY]
    overlaps = _overlaps(spans.start[likely], spans.end[likely])
    log_odds = spans.log_odds[likely] / sharp
    chosen = (overlaps @ np.exp(log_odds - log_odds.max())).argmax()
    best = likely[chosen]
    if none >= overlaps[chosen] @ chances[likely]:
        return Answer(probability=none)
    start, end = int(spans.start[best]), int(spans.end[best])
    return Answer(passage[start:end], start, end, float(chances[best]))


def spans_of(passage: str, parts: Sequence[Part]) -> Spans:
    """Return all parts of a passage that begin and end with words, of 30 tokens at most."""
    where = np.array(words(passage), np.int64).reshape(-1, 2)
    found = [_of_window(part._replace(end=_with_marks(passage, part)), where) for part in parts]
    start, end, odds = (np.concatenate(values) for values in zip(*found, strict=True))
    order = np.lexsort((-odds, end, start))
    start, end, odds = start[order], end[order], odds[order]
    first = np.ones(len(start), bool)
    first[1:] = (start[1:] != start[:-1]) | (end[1:] != end[:-1])
    return Spans(start[first], end[first], odds[first])


def _of_window(part: Part, where: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    begins, ends = np.isin(part.start, where[:, 0]), np.isin(part.end, where[:, 1])
    first, last = np.flatnonzero(begins & (part.start >= 0)), np.flatnonzero(ends & (part.start >= 0))
    inside = (last[None, :] >= first[:, None]) & (last[None, :] < first[:, None] + LONGEST)
    i, j = (chosen[at] for chosen, at in zip((first, last), np.nonzero(inside), strict=True))
    odds = part.scores[i, 0] + part.scores[j, 1] - part.scores[0].sum()
    return part.start[i], part.end[j], odds


def _with_marks(passage: str, part: Part) -> np.ndarray:  # [U]
    """Return where each place ends, behind the marks that follow it where no other token stands for them.

    Some tokenizers drop accents, and the signs of vowels in Hindi, from what they say a token stands for.
    """
    runs = np.array([] if passage.isascii() else [found.span() for found in unseen_runs(passage)], np.int64)
    if not len(runs):
        return part.end
    at = np.searchsorted(runs[:, 0], part.end, "right") - 1
    whole = np.where((at >= 0) & (part.end < runs[at, 1]), runs[at, 1], part.end)
    after = np.append(part.start[1:], len(passage))  # of the next token
    return np.where((part.start >= 0) & (whole <= after), whole, part.end)


def _overlaps(start: np.ndarray, end: np.ndarray) -> np.ndarray:  # [S] -> [S, S]
    """Return F1 of the characters of each two parts."""
    common = np.minimum(end[:, None], end) - np.maximum(start[:, None], start)
    size = end - start
    return 2 * np.maximum(common, 0) / (size[:, None] + size)
