"""Where words lie in a flat array of tokens, found without a loop over tokens.

A unit is a longest run of tokens in which each goes on the word of the one before it.  Its hash is

    h = Σ_k r[token_k] s^k  (mod 2⁶⁴),   r random, s odd,

so that all units are hashed by one `reduceat`, and only distinct ones are ever decoded.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from metaglot.data.pieces import Pieces, words_in
from metaglot.data.store import TextSet
from metaglot.errors import MetaglotError

U64 = np.ndarray[Any, np.dtype[np.uint64]]
STEP = 8  # record batches read at a time
_ODD = np.uint64(0x9E3779B97F4A7C15)


class Units(NamedTuple):
    """The units of some rows that hold characters of words."""

    tokens: np.ndarray  # [T] int32, of the rows
    hash: U64  # [U]
    first: np.ndarray  # [U] in tokens
    length: np.ndarray  # [U] tokens
    row: np.ndarray  # [U] in the set
    start: np.ndarray  # [U] in the row
    cut: np.ndarray  # [U] bool: the row was cut there, so that more of the word may have followed
    rows: int  # how many rows there are


class Kinds(NamedTuple):
    """The distinct units of a set, by ascending hash."""

    hash: U64  # [K]
    uses: np.ndarray  # [K] how many units are of the kind
    tokens: np.ndarray  # of all kinds, one after another
    begin: np.ndarray  # [K + 1] in tokens


def units_of(examples: TextSet, pieces: Pieces, *, full: int, cut_left: bool) -> Iterator[Units]:
    """Yield the units of a set, some batches of rows at a time; rows of `full` tokens count as cut.

    Raises MetaglotError for tokens that the pieces do not know.
    """
    hashes = np.random.default_rng(5).integers(0, 1 << 63, len(pieces.text), dtype=np.uint64)
    batches = _batches(examples)
    powers = np.cumprod(np.full(longest_row(examples) + 1, _ODD))
    done = 0
    for at in range(0, len(batches), STEP):
        some = batches[at : at + STEP]
        tokens = np.concatenate([_tokens(batch) for batch in some])
        if tokens.max(initial=0) >= len(pieces.text):
            raise MetaglotError(f"{examples.name}: was tokenised with another tokenizer. Give the same one here.")
        lengths = np.concatenate([np.diff(_offsets(batch)) for batch in some]).astype(np.int64)
        yield _units(tokens, lengths, done, pieces, (hashes, powers), full, cut_left=cut_left)
        done += len(lengths)


def longest_row(examples: TextSet) -> int:
    """Return the tokens of the longest row."""
    return max((int(np.diff(_offsets(batch)).max(initial=0)) for batch in _batches(examples)), default=0)


def kinds_of(parts: Sequence[Kinds]) -> Kinds:
    """Return the kinds of all parts as one."""
    hashes = np.concatenate([part.hash for part in parts])
    unique, first, which = np.unique(hashes, return_index=True, return_inverse=True)
    uses = np.bincount(which, np.concatenate([part.uses for part in parts]), len(unique)).astype(np.int64)
    tokens = np.concatenate([part.tokens for part in parts])
    lengths = np.concatenate([np.diff(part.begin) for part in parts])
    begin = np.cumsum(lengths) - lengths
    return _kinds(unique, uses, tokens, begin[first], lengths[first])


def kinds_among(units: Units) -> Kinds:
    """Return the kinds of some units."""
    unique, first, uses = np.unique(units.hash, return_index=True, return_counts=True)
    return _kinds(unique, uses, units.tokens, units.first[first], units.length[first])


def take(kinds: Kinds, chosen: np.ndarray) -> Kinds:
    """Return some kinds, `chosen` ascending."""
    size = np.diff(kinds.begin)[chosen]
    return _kinds(kinds.hash[chosen], kinds.uses[chosen], kinds.tokens, kinds.begin[chosen], size)


def texts_of(kinds: Kinds, pieces: Pieces) -> Iterator[tuple[str, list[str]]]:
    """Yield for each kind its text and the words in it."""
    tokens, begin, text = kinds.tokens.tolist(), kinds.begin.tolist(), pieces.text
    for a, b in pairwise(begin):
        text_here = b"".join([text[t] for t in tokens[a:b]]).decode("utf-8", "replace")
        yield text_here, words_in(text_here)


def find(units: Units, kinds: Kinds) -> tuple[np.ndarray, np.ndarray]:
    """Return which units [F] are of one of the kinds, and of which [F]; every token is compared."""
    if not len(kinds.hash):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    kind = np.minimum(np.searchsorted(kinds.hash, units.hash), len(kinds.hash) - 1)
    same = (kinds.hash[kind] == units.hash) & (np.diff(kinds.begin)[kind] == units.length)
    positions = np.flatnonzero(same)
    kind = kind[positions]
    true = np.ones(len(positions), bool)
    left = np.arange(len(positions))  # the units that have a token number k
    for k in range(int(units.length.max(initial=0))):
        left = left[units.length[positions[left]] > k]
        true[left] &= units.tokens[units.first[positions[left]] + k] == kinds.tokens[kinds.begin[kind[left]] + k]
    return positions[true], kind[true]


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the numbers start … start + length − 1 of every range, one range after another."""
    ends = np.cumsum(lengths)
    return np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)


def _units(
    tokens: np.ndarray,
    lengths: np.ndarray,
    done: int,
    pieces: Pieces,
    factors: tuple[U64, U64],
    full: int,
    *,
    cut_left: bool,
) -> Units:
    ends = np.cumsum(lengths)
    joined = np.zeros(len(tokens), bool)
    joined[1:] = pieces.ends[tokens[:-1]] & pieces.goes_on[tokens[1:]]
    joined[(ends - lengths)[lengths > 0]] = False
    first = np.flatnonzero(~joined)
    size = np.diff(np.append(first, len(tokens)))
    hashes, powers = factors
    place = np.arange(len(tokens)) - np.repeat(first, size)
    total = np.add.reduceat(hashes[tokens] * powers[place], first) if len(first) else np.zeros(0, np.uint64)
    row = np.searchsorted(ends, first, "right")
    cut = np.zeros(len(first), bool)
    cut[np.searchsorted(first, _edges(tokens, ends, lengths, full, pieces, cut_left=cut_left), "right") - 1] = True
    keep = pieces.holds[tokens[first]] | (size > 1)
    start = first - (ends - lengths)[row]
    return Units(tokens, total[keep], first[keep], size[keep], row[keep] + done, start[keep], cut[keep], len(lengths))


def _edges(
    tokens: np.ndarray, ends: np.ndarray, lengths: np.ndarray, full: int, pieces: Pieces, *, cut_left: bool
) -> np.ndarray:
    """Return for each row of `full` tokens the position of its last (cut on the left: first) plain token."""
    plain = np.flatnonzero(~pieces.special[tokens])
    of_full = lengths == full
    if not len(plain):
        return np.zeros(0, np.int64)
    if cut_left:
        return plain[np.minimum(np.searchsorted(plain, (ends - lengths)[of_full]), len(plain) - 1)]
    return plain[np.maximum(np.searchsorted(plain, ends[of_full]) - 1, 0)]


def _kinds(hashes: U64, uses: np.ndarray, tokens: np.ndarray, first: np.ndarray, length: np.ndarray) -> Kinds:
    return Kinds(hashes, uses, tokens[ranges(first, length)], np.concatenate([[0], np.cumsum(length)]))


def _batches(examples: TextSet) -> list[Any]:
    return examples.table.select(["input_ids"]).to_batches()


def _offsets(batch: Any) -> np.ndarray:
    return batch.column("input_ids").offsets.to_numpy()


def _tokens(batch: Any) -> np.ndarray:
    offsets = _offsets(batch)
    return batch.column("input_ids").values.to_numpy(zero_copy_only=True)[offsets[0] : offsets[-1]]
