"""Which texts of a corpus repeat an earlier one, exactly or nearly."""

from collections.abc import Callable
from typing import cast

import numpy as np
import pyarrow as pa

from metaglot.data.folding import folded
from metaglot.data.minhash import Marks, joined, marks_of, near_earlier, take, text_hash

CHUNK = 1 << 12  # texts folded at a time

Progress = Callable[[int, int], None] | None


def repeats(texts: pa.ChunkedArray, *, progress: Progress = None) -> np.ndarray:  # [N] bool
    """Return which texts are, after folding (`data.folding`), equal to one that comes before them."""
    hashes = np.empty(len(texts), np.uint64)
    for start in range(0, len(texts), CHUNK):
        part = _folded(texts, start)
        hashes[start : start + len(part)] = [text_hash(text) for text in part]
        if progress is not None:
            progress(start + len(part), len(texts))
    return _again(hashes)


def near_repeats(texts: pa.ChunkedArray, *, progress: Progress = None) -> tuple[np.ndarray, np.ndarray]:  # [N] twice
    """Return which texts are equal to an earlier one, and which others are near an earlier one (`data.minhash`)."""
    parts: list[Marks] = []
    for start in range(0, len(texts), CHUNK):
        parts.append(marks_of(_folded(texts, start)))
        if progress is not None:
            progress(min(start + CHUNK, len(texts)), len(texts))
    marks = joined(parts or [marks_of([])])
    same = _again(marks.exact)
    kept = np.flatnonzero(~same)
    near = np.zeros(len(same), bool)
    near[kept] = near_earlier(take(marks, kept))
    return same, near


def _folded(texts: pa.ChunkedArray, start: int) -> list[str]:
    return [folded(text) for text in cast("list[str]", texts.slice(start, CHUNK).to_pylist())]


def _again(keys: np.ndarray) -> np.ndarray:
    again = np.ones(len(keys), bool)
    again[np.unique(keys, return_index=True)[1]] = False
    return again
