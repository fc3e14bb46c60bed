"""A shuffled pass over a corpus, any place of it in constant time: no list as long as the corpus is made.

A Feistel network over the least power of four that holds the corpus; a result beyond its end goes through again
(cycle walking), which keeps the map one-to-one.  Black and Rogaway 2002, https://doi.org/10.1007/3-540-45760-7_9
"""

import numpy as np

from metaglot.seeds import generator

ROUNDS = 8


def met(positions: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """Return the items at `positions` of an endless stream over range(count): one shuffled pass after another.

    Each pass holds every number once, in an order that is a function of (seed, number of the pass).
    """
    passes, within = np.divmod(positions, count)
    found = np.empty_like(within)
    for number in np.unique(passes):
        here = passes == number
        keys = generator(seed, "pass", int(number)).integers(0, 2**64, ROUNDS, dtype=np.uint64)
        found[here] = shuffled(within[here], count, keys)
    return found


def shuffled(positions: np.ndarray, count: int, keys: np.ndarray) -> np.ndarray:
    """Return the images of positions < count under the permutation of range(count) that the keys choose."""
    half = np.uint64(max(1, ((count - 1).bit_length() + 1) // 2))
    values = _encrypted(positions.astype(np.uint64), half, keys)
    while (beyond := values >= count).any():
        values[beyond] = _encrypted(values[beyond], half, keys)
    return values.astype(np.int64)


def _encrypted(values: np.ndarray, half: np.uint64, keys: np.ndarray) -> np.ndarray:
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = values >> half, values & mask
    for key in keys:
        left, right = right, left ^ (_mixed(right ^ key) & mask)
    return left << half | right


def _mixed(x: np.ndarray) -> np.ndarray:
    """Return the finaliser of splitmix64, whose every output bit depends on every input bit."""
    x = (x ^ x >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ x >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return x ^ x >> np.uint64(31)
