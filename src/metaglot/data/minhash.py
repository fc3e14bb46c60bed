"""Near-duplicate texts: MinHash signatures of word shingles, and the bands that bring likely pairs together.

    similarity of sets   J(A, B) = |A ∩ B| / |A ∪ B|  =  P[min h(A) = min h(B)]  over random hash functions h

A signature holds the lowest byte of the minimum under each of 128 functions, so that two unlike minima agree with
chance 1/256 and the estimate from a share s of equal bytes is (s − 1/256) / (1 − 1/256).  Broder 1997,
https://doi.org/10.1109/SEQUEN.1997.666900; low bytes: Li and König 2010, https://arxiv.org/abs/0910.3349.

Word 5-grams say little of a short text: one word exchanged in ten leaves J = 1/11.  So texts of less than 28 words are
compared by their words and word pairs, longer ones by word 5-grams; both signatures are kept near that length, so that
an edit never moves a text to where it is not looked for.  A text of less than `LEAST` words is never looked for:
"what is a mortgage" and "what is a vaccine" would be an edit apart, so there only exact copies count.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

U64 = np.ndarray[Any, np.dtype[np.uint64]]
U8 = np.ndarray[Any, np.dtype[np.uint8]]
Ints = np.ndarray[Any, np.dtype[np.int64]]

FUNCTIONS = 128  # hash functions, one byte of a signature each
BAND = 3  # bytes that must agree for a pair to be looked at
LEAST = 5  # words that a text needs to be near another
SHORT_BELOW, LONG_FROM = 32, 24  # which signatures a text has; both between
LOOK_LONG = 28  # from here on a text is looked up by its 5-grams
LONG_LIKE = 0.4  # J of 5-grams that counts as near: two words of 28 exchanged leave 0.41
_CHUNK = 1 << 15  # shingles hashed at a time: they stay in the processor's cache
_PAIRS = 1 << 18  # candidate pairs compared at a time

# Scripts written without spaces: each character is a word.
UNSPACED = re.compile("[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


class Signatures(NamedTuple):
    """The signatures of some texts under one kind of shingle."""

    rows: Ints  # [S] the texts that have one, ascending
    values: U8  # [S, FUNCTIONS]


class Marks(NamedTuple):
    """What is kept of some texts in place of the texts."""

    exact: U64  # [N] a hash of the folded text
    words: Ints  # [N]
    short: Signatures  # of words and word pairs
    long: Signatures  # of word 5-grams


def marks_of(folded: Sequence[str]) -> Marks:
    """Return the marks of folded texts (`data.folding`); the two of a pair are parted by a NUL."""
    hashes, counts = _words(folded)
    starts = np.concatenate([[0], np.cumsum(counts)])
    few, many = _between(counts, LEAST - 1, SHORT_BELOW), _between(counts, LONG_FROM, 1 << 60)
    exact = np.array([text_hash(text) for text in folded], np.uint64)
    short = Signatures(few, _signatures([hashes[starts[i] : starts[i + 1]] for i in few], long=False))
    long = Signatures(many, _signatures([hashes[starts[i] : starts[i + 1]] for i in many], long=True))
    return Marks(exact, counts, short, long)


def similarity(one: U8, other: U8) -> np.ndarray:  # [..., FUNCTIONS] twice -> [...]
    """Return the estimate of J; its standard deviation is √(J (1 − J) / 128), at most 0.044."""
    chance = 1 / 256
    return ((one == other).mean(axis=-1) - chance) / (1 - chance)


def threshold(words: Ints) -> np.ndarray:
    """Return the J from which on short texts of this many words count as near.

    One word exchanged within n leaves (n − 2) / (n + 1) of words and pairs; a margin is left for the estimate, and
    longer texts may differ by more.
    """
    return np.clip((words - 2) / (words + 1) - 0.06, 0.44, 0.6)


def near_pairs(queries: Marks, texts: Marks) -> Iterator[tuple[Ints, Ints]]:
    """Yield (query rows, text rows) that are near, exact copies among them; a pair may come twice."""
    by_length = ((queries.short, texts.short, False), (queries.long, texts.long, True))
    for asked, kept, long in by_length:
        words = queries.words[asked.rows]
        here = (words >= LOOK_LONG) if long else (words >= LEAST) & (words < LOOK_LONG)
        rows, values = asked.rows[here], asked.values[here]
        least = np.full(len(rows), LONG_LIKE) if long else threshold(words[here])
        for left, right in _candidates(values, kept.values):
            near = similarity(values[left], kept.values[right]) >= least[left]
            yield rows[left[near]], kept.rows[right[near]]


def near_earlier(marks: Marks) -> np.ndarray:  # [N] bool
    """Return which texts are near one that comes before them.

    Within a band, a text is compared with the first text that shares its bytes and with the one just before it, so
    that the work grows with the number of texts however many are alike; one that was found is looked at no more.
    """
    gone = np.zeros(len(marks.exact), bool)
    for signatures, long in ((marks.short, False), (marks.long, True)):
        for at in range(0, FUNCTIONS - BAND + 1, BAND):
            left = np.flatnonzero(~gone[signatures.rows])
            keys = _band(signatures.values[left], at)
            order = np.argsort(keys, kind="stable")
            same = np.flatnonzero(np.diff(keys[order]) == 0) + 1  # places that share their bytes with the place before
            new = np.ones(len(order), bool)
            new[same] = False
            first = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
            for other in (first[same], same - 1):
                pairs = left[order[same]], left[order[other]]
                gone[signatures.rows[pairs[0][_alike(signatures, marks.words, pairs, long=long)]]] = True
    return gone


def equal_pairs(keys: np.ndarray, theirs: np.ndarray) -> Iterator[tuple[Ints, Ints]]:
    """Yield the positions (in `keys`, in `theirs`) of all equal pairs, some hundred thousand at a time."""
    order = np.argsort(theirs, kind="stable")
    ordered = theirs[order]
    first, last = np.searchsorted(ordered, keys, "left"), np.searchsorted(ordered, keys, "right")
    sizes = last - first
    ends = np.cumsum(sizes)
    begin = 0
    while begin < len(keys):
        stop = int(np.searchsorted(ends, (ends[begin - 1] if begin else 0) + _PAIRS, "right"))
        stop = max(stop, begin + 1)
        part = sizes[begin:stop]
        left = np.repeat(np.arange(begin, stop), part)
        offset = np.arange(len(left)) - np.repeat(np.cumsum(part) - part, part)
        yield left, order[np.repeat(first[begin:stop], part) + offset]
        begin = stop


def take(marks: Marks, rows: Ints) -> Marks:
    """Return the marks of some rows, counted from 0 in the order given; no row twice."""
    number = np.full(len(marks.exact), -1)
    number[rows] = np.arange(len(rows))

    def chosen(signatures: Signatures) -> Signatures:
        at = number[signatures.rows]
        return Signatures(at[at >= 0], signatures.values[at >= 0])

    return Marks(marks.exact[rows], marks.words[rows], chosen(marks.short), chosen(marks.long))


def joined(parts: Sequence[Marks]) -> Marks:
    """Return the marks of all parts as one, the rows counted on."""
    sizes = np.array([len(part.exact) for part in parts], np.int64)
    starts = np.cumsum(sizes) - sizes

    def all_of(parts: Sequence[Signatures]) -> Signatures:
        rows = np.concatenate([one.rows + start for one, start in zip(parts, starts, strict=True)])
        return Signatures(rows, np.concatenate([one.values for one in parts]))

    exact, words = np.concatenate([p.exact for p in parts]), np.concatenate([p.words for p in parts])
    return Marks(exact, words, all_of([p.short for p in parts]), all_of([p.long for p in parts]))


def text_hash(text: str) -> int:
    """Return 64 bits that stand for a text, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _alike(signatures: Signatures, words: Ints, pairs: tuple[Ints, Ints], *, long: bool) -> np.ndarray:  # [pairs] bool
    """Return which pairs of signatures are near, whichever of the two is asked about."""
    near = np.zeros(len(pairs[0]), bool)
    for start in range(0, len(near), _PAIRS):
        a, b = (side[start : start + _PAIRS] for side in pairs)
        fewer, more = np.sort([words[signatures.rows[a]], words[signatures.rows[b]]], axis=0)
        least = np.full(len(a), LONG_LIKE) if long else threshold(fewer)
        here = (more >= LOOK_LONG) if long else (more >= LEAST) & (fewer < LOOK_LONG)
        near[start : start + _PAIRS] = here & (similarity(signatures.values[a], signatures.values[b]) >= least)
    return near


def _candidates(queries: U8, texts: U8) -> Iterator[tuple[Ints, Ints]]:
    """Yield the pairs of positions that agree in a whole band: with chance 1 − (1 − J³)⁴² in one or more."""
    for at in range(0, FUNCTIONS - BAND + 1, BAND):
        yield from equal_pairs(_band(queries, at), _band(texts, at))


def _band(values: U8, at: int) -> Ints:
    keys = np.zeros(len(values), np.int64)
    for column in range(at, at + BAND):
        keys = keys << 8 | values[:, column]
    return keys


def _signatures(texts: Sequence[U64], *, long: bool) -> U8:  # [S, FUNCTIONS]
    """Return the lowest bytes of the minima of h·a over the shingles' hashes h, for odd random a."""
    values = np.empty((len(texts), FUNCTIONS), np.uint8)
    begin = 0
    while begin < len(texts):
        stop, size = begin, 0
        while stop < len(texts) and (stop == begin or size < _CHUNK):
            size += len(texts[stop])
            stop += 1
        hashes, starts = _shingles(texts[begin:stop], long=long)
        product = np.empty_like(hashes)
        for column, factor in enumerate(_FACTORS):
            np.multiply(hashes, factor, out=product)
            least = np.minimum.reduceat(product, starts)
            values[begin:stop, column] = least >> np.uint64(32) & np.uint64(255)
        begin = stop
    return values


def _shingles(texts: Sequence[U64], *, long: bool) -> tuple[U64, Ints]:
    """Return the hashes of the shingles of each text, one after another, and where each text's begin."""
    shingles: list[U64] = []
    for words in texts:
        if long:
            shingles.append(_runs(words, 5))
        else:
            shingles += [words, _runs(words, 2)]
    sizes = np.array([len(w) - 4 if long else 2 * len(w) - 1 for w in texts], np.int64)
    return _mixed(np.concatenate(shingles)), np.cumsum(sizes) - sizes


def _runs(words: U64, size: int) -> U64:
    """Return a number for each run of `size` words, which depends on their order."""
    count = len(words) - size + 1
    total = words[:count].copy()
    for k in range(1, size):
        total *= _STEP
        total += words[k : k + count]
    return total


def _mixed(values: U64) -> U64:
    """Return the numbers with every bit spread over all (the finaliser of SplitMix64)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        values = (values ^ values >> np.uint64(shift)) * np.uint64(factor)
    return values ^ values >> np.uint64(31)


def _words(texts: Sequence[str]) -> tuple[U64, Ints]:
    """Return the hashes of all words of all texts, and how many each text has."""
    word_hashes = _WordHashes()
    hashes: list[int] = []
    counts = np.zeros(len(texts), np.int64)
    for number, text in enumerate(texts):
        spaced = text if text.isascii() else UNSPACED.sub(r" \g<0> ", text)
        words = spaced.replace("\0", " ").split()
        hashes += [word_hashes[word] for word in words]
        counts[number] = len(words)
    return np.array(hashes, np.uint64), counts


class _WordHashes(dict[str, int]):
    def __missing__(self, word: str) -> int:
        self[word] = text_hash(word)
        return self[word]


def _between(counts: Ints, low: int, high: int) -> Ints:
    return np.flatnonzero((counts >= low) & (counts < high))


_STEP = np.uint64(0x9E3779B97F4A7C15)
_FACTORS = np.random.default_rng(20240229).integers(0, 1 << 63, FUNCTIONS, dtype=np.uint64) * np.uint64(2) + np.uint64(
    1
)
