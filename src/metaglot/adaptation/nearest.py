"""The largest cosine with one of many: which one it is, is found in float32, and its cosine is computed in float64.

Where two are as near as float32 tells apart (1e-7), either may be taken for the nearest.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 512  # rows on each side of the cosines that are held at a time: as many as a cache holds
NONE = -1.0  # the cosine with the nearest of none


def largest_cosine(features: Tensor, rows: Tensor) -> Tensor:  # [q, D], [k, D] -> [q], float64
    """Return the cosine of each feature with the nearest row; both are float64 and of length one."""
    across = rows.float().T
    nearest = [largest_of(block.float() @ across) for block in features.split(BLOCK)]
    return (features * rows[torch.cat(nearest)]).sum(1) if nearest else features.new_zeros(0)


def largest_of(cosines: Tensor) -> Tensor:  # [q, k] -> [q]
    """Return the place of the largest number of each row; numpy finds it ten times as fast as torch."""
    return torch.from_numpy(cosines.contiguous().numpy().argmax(1))


class Nearest(NamedTuple):
    """The nearest row to each of n rows, as far as they have been compared."""

    cosine: Tensor  # [n], float32
    row: Tensor  # [n], −1 where none was compared

    @staticmethod
    def of(count: int) -> "Nearest":
        """Return what is known before any is compared."""
        return Nearest(torch.full((count,), NONE), torch.full((count,), -1, dtype=torch.long))

    def compare(self, here: slice, cosines: Tensor, first: int) -> None:  # [rows here, k]
        """Take note of the cosines of some rows with k others, of which `first` is the number of the first."""
        largest, before = cosines.amax(1), self.cosine[here]
        better = torch.nonzero(largest > before)[:, 0]
        before[better] = largest[better]
        self.row[here][better] = largest_of(cosines[better]) + first


def nearest_apart(features: Tensor, fold: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:  # [n, D], [n], [n] -> [n]
    """Return the cosine of each row with the nearest of another fold, and with the nearest of another class.

    It is −1 where there is none.  A cosine stands for two rows, so each pair is multiplied once.
    """
    order = numbers.argsort(stable=True)
    order = order[fold[order].argsort(stable=True)]  # fold by fold, and class by class in each
    x, fold, numbers = features[order], fold[order], numbers[order]
    by_fold, by_class = Nearest.of(len(x)), Nearest.of(len(x))
    blocks = list(_blocks(fold))
    for i, a in enumerate(blocks):
        for b in blocks[i:]:
            cosines = x[a] @ x[b].T
            if fold[a.start] != fold[b.start]:
                by_fold.compare(a, cosines, b.start)
                by_fold.compare(b, cosines.T, a.start)
            if numbers[a.start] <= numbers[b.stop - 1] and numbers[b.start] <= numbers[a.stop - 1]:
                cosines.masked_fill_(numbers[a][:, None] == numbers[b], NONE)
            by_class.compare(a, cosines, b.start)
            by_class.compare(b, cosines.T, a.start)
    exact, back = x.double(), order.argsort()
    near, other = (
        (exact * exact[to.row]).sum(1).where(to.row >= 0, exact.new_tensor(NONE))[back] for to in (by_fold, by_class)
    )
    return near, other


def _blocks(fold: Tensor) -> Iterator[slice]:
    """Yield runs of rows of one fold, at most BLOCK long; rows stand fold by fold."""
    start = 0
    for length in torch.unique_consecutive(fold, return_counts=True)[1].tolist():
        for first in range(start, start + length, BLOCK):
            yield slice(first, min(first + BLOCK, start + length))
        start += length
