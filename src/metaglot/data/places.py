"""Every place of every word as one number, so that a plain sort makes the inverted index.

key = word | sentence | start | size | spoilt      (from the highest bits to the lowest one)
"""

from typing import NamedTuple

import numpy as np

from metaglot.data.lexicon import Lexicon
from metaglot.data.units import Units, find, ranges
from metaglot.errors import MetaglotError


class Layout(NamedTuple):
    """How many bits the parts of a key have."""

    sentence: int
    start: int
    size: int


class Places(NamedTuple):
    """Where the chosen words stand; a pair is a word and a sentence that holds it."""

    chosen: np.ndarray  # [W] in the lexicon, ascending
    counts: np.ndarray  # [W] int64 sentences
    first: np.ndarray  # [W + 1] in the pairs
    sentence: np.ndarray  # [P] int32
    begin: np.ndarray  # [P + 1] in the places
    start: np.ndarray  # [O] token positions
    size: np.ndarray  # [O] tokens


def layout_of(words: int, sentences: int, longest: int) -> Layout:
    """Return the layout for so many words and sentences of at most `longest` tokens; MetaglotError if too many."""
    layout = Layout(sentences.bit_length(), longest.bit_length(), longest.bit_length())
    if words.bit_length() + sum(layout) + 1 > 63 or sentences >= 1 << 31:
        raise MetaglotError(
            f"{words:,} words in {sentences:,} sentences of up to {longest} tokens are too many for one index. "
            "Raise min_count, lower max_length, or split the text."
        )
    return layout


def keys_of(units: Units, lexicon: Lexicon, layout: Layout) -> np.ndarray:  # [O] int64
    """Return the keys of the words among some units; a word that a unit only holds, or that was cut, is spoilt."""
    found, kind = find(units, lexicon.kinds)
    is_word = lexicon.word[kind] >= 0
    whole = _packed(units, found[is_word], lexicon.word[kind[is_word]], units.cut[found[is_word]], layout)
    held = np.diff(lexicon.begin)[kind]
    words = lexicon.hidden[ranges(lexicon.begin[kind], held)]
    return np.concatenate([whole, _packed(units, np.repeat(found, held), words, np.ones(len(words), bool), layout)])


def places_of(keys: np.ndarray, layout: Layout, *, min_count: int, max_words: int) -> Places:
    """Return the places of the commonest words with `min_count` sentences; `keys` are sorted.

    A sentence with a spoilt place of a word is none of that word's sentences.
    """
    pair = keys >> layout.start + layout.size + 1
    begin = np.flatnonzero(np.concatenate([np.ones(min(1, len(pair)), bool), pair[1:] != pair[:-1]]))
    pair = pair[begin]
    good = np.bitwise_or.reduceat(keys, begin) & 1 == 0 if len(begin) else np.zeros(0, bool)
    word = pair >> layout.sentence
    counts = np.bincount(word[good])
    chosen = np.sort(np.argsort(-counts, kind="stable")[:max_words])
    chosen = chosen[counts[chosen] >= min_count]
    wanted = np.zeros(int(word[-1]) + 1 if len(word) else 0, bool)
    wanted[chosen] = True
    good &= wanted[word]
    held = np.diff(np.append(begin, len(keys)))
    keys = keys[np.repeat(good, held)]
    longest = np.min_scalar_type((1 << layout.start) - 1)
    return Places(
        chosen=chosen,
        counts=counts[chosen],
        first=np.concatenate([[0], np.cumsum(counts[chosen])]),
        sentence=(pair[good] & (1 << layout.sentence) - 1).astype(np.int32),
        begin=np.concatenate([[0], np.cumsum(held[good])]).astype(np.min_scalar_type(len(keys))),
        start=(keys >> layout.size + 1 & (1 << layout.start) - 1).astype(longest),
        size=(keys >> 1 & (1 << layout.size) - 1).astype(longest),
    )


def _packed(units: Units, at: np.ndarray, word: np.ndarray, spoilt: np.ndarray, layout: Layout) -> np.ndarray:
    key = word << layout.sentence | units.row[at]
    key = key << layout.start | units.start[at]
    key = key << layout.size | units.length[at]
    return key << 1 | spoilt
