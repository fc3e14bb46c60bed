"""The largest cosine with one of many: which one it is, is found in float32, and its cosine is computed in float64.

Where two are as near as float32 tells apart (1e-7), either may be taken for the nearest.
"""

import torch
from torch import Tensor

BLOCK = 512  # rows whose cosines are computed at a time
CELLS = 2**21  # cosines that are held at a time
NONE = -1.0  # the cosine with the nearest of none
ABSENT = -2.0  # in place of a cosine with a row that does not count


def largest_cosine(features: Tensor, rows: Tensor) -> Tensor:  # [q, D], [k, D] -> [q], float64
    """Return the cosine of each feature with the nearest row; both are float64 and of length one."""
    across = rows.float().T
    nearest = [largest_of(block.float() @ across) for block in features.split(BLOCK)]
    return (features * rows[torch.cat(nearest)]).sum(1) if nearest else features.new_zeros(0)


def largest_of(cosines: Tensor) -> Tensor:  # [q, k] -> [q]
    """Return the place of the largest number of each row; numpy finds it ten times as fast as torch."""
    return torch.from_numpy(cosines.contiguous().numpy().argmax(1))


def nearest_apart(  # [n, D], [n], [n], [q] -> [q], [q]
    features: Tensor, fold: Tensor, numbers: Tensor, asked: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the cosine of each row asked for with the nearest of another fold, and with the nearest of another class.

    It is −1 where there is none.  Features are float32 and of length one; the cosines are float64.
    """
    order = numbers.argsort(stable=True)
    order = order[fold[order].argsort(stable=True)]  # of two that are as near, the first so is taken
    x, fold, numbers, asked = features[order], fold[order], numbers[order], order.argsort()[asked]
    near, other = (torch.full((len(asked),), NONE, dtype=torch.float64) for _ in range(2))
    for k in fold[asked].unique().tolist():
        own = torch.nonzero(fold == k)[:, 0]
        for here in torch.nonzero(fold[asked] == k)[:, 0].split(max(1, CELLS // len(x))):
            rows = asked[here]
            cosines = x[rows] @ x.T
            same = numbers[rows][:, None] == numbers
            _take(other, here, x, rows, torch.where(same, ABSENT, cosines))
            cosines[:, int(own[0]) : int(own[-1]) + 1] = ABSENT
            _take(near, here, x, rows, cosines)
    return near, other


def _take(nearest: Tensor, here: Tensor, x: Tensor, rows: Tensor, cosines: Tensor) -> None:
    """Put the largest cosine of each row, in float64, where it belongs; leave it where all are absent."""
    at = largest_of(cosines)
    there = cosines.gather(1, at[:, None])[:, 0] > ABSENT
    nearest[here[there]] = (x[rows[there]].double() * x[at[there]].double()).sum(1)
