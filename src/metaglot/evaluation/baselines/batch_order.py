"""Shuffled batches."""

from collections.abc import Iterator

import numpy as np

from metaglot.seeds import generator


def shuffled_batches(n: int, batch_size: int, seed: int) -> Iterator[list[int]]:
    """Yield batches of row numbers for ever, of like size; every row comes once before any comes again."""
    rng = generator(seed, "batches")
    while True:
        parts = np.array_split(rng.permutation(n), -(-n // batch_size))
        yield from (part.tolist() for part in parts)
