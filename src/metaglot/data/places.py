"""Every place of every word as one number, so that a plain sort makes the inverted index.

key = word | sentence | start | size | spoilt      (from the highest bits to the lowest one)
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from metaglot.data.lexicon import Lexicon
from metaglot.data.units import Units, find, ranges
from metaglot.errors import MetaglotError

SLICE = 1 << 21  # keys read at a time


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


def keys_of(units: Iterable[Units], lexicon: Lexicon, layout: Layout) -> np.ndarray:  # [O] int64
    """Return the sorted keys of the words among some units; a word that a unit only holds, or is cut, is spoilt."""
    each = np.diff(lexicon.begin) + (lexicon.word >= 0)
    keys = np.empty(int((each * lexicon.kinds.uses).sum()), np.int64)  # in place: there are very many
    count = 0
    for some in units:
        for part in _keys(some, lexicon, layout):
            keys[count : count + len(part)] = part
            count += len(part)
    keys = keys[:count]
    keys.sort()
    return keys


def places_of(keys: np.ndarray, layout: Layout, *, min_count: int, max_words: int) -> Places:
    """Return the places of the commonest words with `min_count` sentences; `keys` are sorted.

    A sentence with a spoilt place of a word is none of that word's sentences.
    """
    last = int(keys[-1]) >> sum(layout) + 1 if len(keys) else 0
    counts = np.zeros(last + 1, np.int64)
    for some in _slices(keys, layout):
        pairs = _pairs(some, layout)
        counts += np.bincount(pairs.word[pairs.good], minlength=len(counts))
    chosen = np.sort(np.argsort(-counts, kind="stable")[:max_words])
    chosen = chosen[counts[chosen] >= min_count]
    wanted = np.zeros(len(counts), bool)
    wanted[chosen] = True
    parts = [_read(some, wanted, layout) for some in _slices(keys, layout)]
    sentence, held, start, size = (np.concatenate(column) for column in zip(*parts, strict=True))
    first, begin = (np.concatenate([[0], np.cumsum(one, dtype=np.int64)]) for one in (counts[chosen], held))
    return Places(chosen, counts[chosen], first, sentence, begin.astype(np.min_scalar_type(begin[-1])), start, size)


class _Pairs(NamedTuple):
    """The pairs of words and sentences among some sorted keys."""

    word: np.ndarray
    sentence: np.ndarray
    held: np.ndarray  # places of the word in the sentence
    good: np.ndarray  # bool: none of them is spoilt


def _slices(keys: np.ndarray, layout: Layout) -> Iterator[np.ndarray]:
    """Yield views of the keys, about SLICE of them, that cut no pair."""
    low = layout.start + layout.size + 1
    at = 0
    while at < len(keys) or not at:
        stop = min(at + SLICE, len(keys))
        if stop < len(keys):
            stop = int(np.searchsorted(keys, ((keys[stop] >> low) + 1) << low))
        yield keys[at:stop]
        at = max(stop, 1)


def _pairs(keys: np.ndarray, layout: Layout) -> _Pairs:
    pair = keys >> layout.start + layout.size + 1
    begin = np.flatnonzero(np.concatenate([np.ones(min(1, len(pair)), bool), pair[1:] != pair[:-1]]))
    spoilt = np.bitwise_or.reduceat(keys, begin) & 1 if len(begin) else np.zeros(0, np.int64)
    pair = pair[begin]
    sentence = pair & (1 << layout.sentence) - 1
    return _Pairs(pair >> layout.sentence, sentence, np.diff(np.append(begin, len(keys))), spoilt == 0)


def _read(keys: np.ndarray, wanted_keys: np.ndarray, layout: Layout) -> tuple[np.ndarray, ...]:
    """Return of the wanted words the sentences and how often each holds its word, the starts and the sizes."""
    pairs = _pairs(keys, layout)
    good = pairs.good & wanted_keys[pairs.word]
    keys = keys[np.repeat(good, pairs.held)]
    kind = np.min_scalar_type((1 << layout.start) - 1)
    start = (keys >> layout.size + 1 & (1 << layout.start) - 1).astype(kind)
    size = (keys >> 1 & (1 << layout.size) - 1).astype(kind)
    return pairs.sentence[good].astype(np.int32), pairs.held[good].astype(kind), start, size


def _keys(units: Units, lexicon: Lexicon, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Return the keys of units that are words, and of words within other units."""
    units_here, kind = find(units, lexicon.kinds)
    whole = np.flatnonzero(lexicon.word[kind] >= 0)
    at = units_here[whole]
    held = np.diff(lexicon.begin)[kind]
    words = lexicon.hidden[ranges(lexicon.begin[kind], held)]
    spoilt = np.ones(len(words), bool)
    return (
        _packed(units, at, lexicon.word[kind[whole]], units.cut[at], layout),
        _packed(units, np.repeat(units_here, held), words, spoilt, layout),
    )


def _packed(units: Units, at: np.ndarray, word: np.ndarray, spoilt: np.ndarray, layout: Layout) -> np.ndarray:
    key = word << layout.sentence | units.row[at]
    key = key << layout.start | units.start[at]
    key = key << layout.size | units.length[at]
    return key << 1 | spoilt
