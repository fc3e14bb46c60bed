"""The largest cosine with one of many: which one it is, is found in float32, and its cosine is computed in float64.

Where two are as near as float32 tells apart (1e-7), either may be taken for the nearest.
"""

import torch
from torch import Tensor

BLOCK = 512  # rows whose cosines are computed at a time
CELLS = 2**21  # cosines that are held at a time
NONE = -1.0  # the cosine with the nearest of none


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
    features, fold, numbers, asked = features[order], fold[order], numbers[order], order.argsort()[asked]
    found = [torch.zeros(2, 0, dtype=torch.float64)]
    for block in asked.split(max(1, CELLS // len(features))):
        x = features[block]
        cosines, exact = x @ features.T, x.double()
        pair: list[Tensor] = []
        for group in (fold, numbers):
            own = group[block][:, None] == group
            at = largest_of(torch.where(own, 2 * NONE, cosines))
            apart = ~own.gather(1, at[:, None])[:, 0]
            pair.append((exact * features[at].double()).sum(1).where(apart, exact.new_tensor(NONE)))
        found.append(torch.stack(pair))
    by_fold, by_class = torch.cat(found, dim=1)
    return by_fold, by_class
