"""Features of pairs whose texts are read apart too: what they say together, how they differ, and how alike they are.

    x = v / ‖v‖,    v = ( ω p ,  ω |a − b| ,  γ (cos(a, b) − ½) ,  o − ½ )
    o = ( |S ∩ T| / |S| ,  |S ∩ T| / |T| ,  |S ∩ T| / |S ∪ T| )

p is the feature of both texts in one pass, a and b are those of either text, all of length one; S and T are the sets of
their tokens.  An encoder that reads two texts in one pass was seldom trained to say in its pooled feature how they
agree, and a handful of examples does not teach it.  How alike they are apart is four numbers, which a few examples do
weigh.  p stays beside them, since tasks about what two texts say need it.  |a − b| is InferSent's: Conneau et al. 2017,
https://arxiv.org/abs/1705.02364.  ω and γ were chosen on six sets of pairs (docs/results/pairs.md).
"""

from collections.abc import Sequence, Set

import torch
from torch import Tensor
from torch.nn.functional import normalize

CONTENT = 0.7  # ω
LIKENESS = 2.0  # γ
SHARES = 3  # numbers in o


def width_apart(width: int) -> int:
    """Return how wide these features are, from the width of the feature of a text."""
    return 2 * width + 1 + SHARES


def features_apart(  # [n, D], [n, D], [n, D], [n, 3] -> [n, 2 D + 4]
    whole: Tensor, first: Tensor, second: Tensor, shares: Tensor
) -> Tensor:
    """Return the features of pairs, of length one; `shares` is from `shared_tokens`."""
    p, a, b = (normalize(part.float(), dim=-1) for part in (whole, first, second))
    likeness = LIKENESS * ((a * b).sum(-1, keepdim=True) - 0.5)
    return normalize(torch.cat([CONTENT * p, CONTENT * (a - b).abs(), likeness, shares.to(a) - 0.5], -1), dim=-1)


def shared_tokens(first: Sequence[Set[int]], second: Sequence[Set[int]]) -> Tensor:  # [n, 3]
    """Return which share of the tokens of the first text, of the second, and of either stands in both."""
    rows = [[len(s & t) / max(1, len(whole)) for whole in (s, t, s | t)] for s, t in zip(first, second, strict=True)]
    return torch.tensor(rows, dtype=torch.float32).reshape(len(rows), SHARES)
