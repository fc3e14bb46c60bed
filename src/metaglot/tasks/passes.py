"""Shuffled passes over a corpus; each place costs constant time, and no list as long as the corpus is made.

A Feistel network permutes the least power of four that holds the corpus; a result beyond the end of the corpus is
permuted again (cycle walking), which keeps the map one-to-one.
Black and Rogaway 2002, https://doi.org/10.1007/3-540-45760-7_9
"""

import numpy as np

from metaglot.seeds import generator

ROUNDS = 8


def items_at(positions: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """Return the items at `positions` of an endless stream over range(count): one permute pass after another.

    Each pass holds every number once, in an order that is a function of (seed, number of the pass).
    """
    numbers, places = np.divmod(positions, count)
    items = np.empty_like(places)
    for pass_number in np.unique(numbers):
        inside = numbers == pass_number
        keys = generator(seed, "pass", int(pass_number)).integers(0, 2**64, ROUNDS, dtype=np.uint64)
        items[inside] = permute(places[inside], count, keys)
    return items


def permute(positions: np.ndarray, count: int, keys: np.ndarray) -> np.ndarray:
    """Return the images of positions < count under the permutation of range(count) that the keys choose."""
    half = np.uint64(max(1, ((count - 1).bit_length() + 1) // 2))
    values = _encrypt(positions.astype(np.uint64), half, keys)
    while (beyond := values >= count).any():
        values[beyond] = _encrypt(values[beyond], half, keys)
    return values.astype(np.int64)


def _encrypt(values: np.ndarray, half: np.uint64, keys: np.ndarray) -> np.ndarray:
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = values >> half, values & mask
    for key in keys:
        left, right = right, left ^ (_mix(right ^ key) & mask)
    return left << half | right


def _mix(x: np.ndarray) -> np.ndarray:
    """Return the finaliser of splitmix64, whose every output bit depends on every input bit."""
    x = (x ^ x >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ x >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return x ^ x >> np.uint64(31)
