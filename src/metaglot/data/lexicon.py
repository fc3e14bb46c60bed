"""The words of a corpus that may be common enough to be indexed, and the tokens each is written in."""

from typing import NamedTuple

import numpy as np

from metaglot.data.pieces import Pieces
from metaglot.data.units import Kinds, take, texts_of

MOST_TOKENS = 4  # a word has no more where it stands most often


class Lexicon(NamedTuple):
    """Words by falling number of uses, equals by the alphabet."""

    words: list[str]
    length: np.ndarray  # [W] tokens, where the word stands most often
    kinds: Kinds  # units that are, or hold, one of the words
    word: np.ndarray  # [K] which word a unit of the kind is; -1 where it only holds some
    hidden: np.ndarray  # the words that a kind holds beside other characters, one kind after another
    begin: np.ndarray  # [K + 1] in `hidden`


class _Read(NamedTuple):
    """All kinds, decoded."""

    words: list[str]
    whole: np.ndarray  # [K] the word that a kind is, or -1
    hidden: np.ndarray  # [H, 2] (kind, word) for words that a kind holds beside other characters, by kind


def lexicon_of(kinds: Kinds, pieces: Pieces, min_uses: int) -> Lexicon:
    """Return the words that are a whole unit at least `min_uses` times, of at most MOST_TOKENS tokens as a rule."""
    read = _read(kinds, pieces)
    here = np.flatnonzero(read.whole >= 0)
    which, uses, size = read.whole[here], kinds.uses[here], np.diff(kinds.begin)[here]
    total = np.bincount(which, uses, len(read.words)).astype(np.int64)
    order = np.lexsort((size, -uses, which))
    length = np.zeros(len(read.words), np.int64)
    named, commonest = np.unique(which[order], return_index=True)
    length[named] = size[order][commonest]
    fit = np.flatnonzero((total >= min_uses) & (length > 0) & (length <= MOST_TOKENS)).tolist()
    fit.sort(key=lambda w: (-int(total[w]), read.words[w]))
    number = np.full(len(read.words) + 1, -1)  # the last for the kinds that are no word
    number[fit] = np.arange(len(fit))
    hidden = np.column_stack([read.hidden[:, 0], number[read.hidden[:, 1]]])
    hidden = hidden[hidden[:, 1] >= 0]
    word = number[read.whole]
    held = np.bincount(hidden[:, 0], minlength=len(word))
    kept = np.flatnonzero((word >= 0) | (held > 0))
    begin = np.concatenate([[0], np.cumsum(held[kept])])
    return Lexicon([read.words[w] for w in fit], length[fit], take(kinds, kept), word[kept], hidden[:, 1], begin)


def _read(kinds: Kinds, pieces: Pieces) -> _Read:
    words: dict[str, int] = {}
    whole = np.full(len(kinds.hash), -1)
    hidden: list[tuple[int, int]] = []
    for kind, (text, inside) in enumerate(texts_of(kinds, pieces)):
        numbers = [words.setdefault(word, len(words)) for word in inside]
        if inside == [text]:
            whole[kind] = numbers[0]
        else:
            hidden += [(kind, number) for number in numbers]
    return _Read(list(words), whole, np.array(hidden, np.int64).reshape(-1, 2))
