"""Matching: attention over the support set, a vote of neighbours by their similarity.

    a_i = softmax_i( s·cos(x, k_i) ),   p(y = c | x) = Σ_i a_i [y_i = c]

The scores are log p, so that softmax gives p back.  Keys are the support features, s is learnt.  Vinyals et al. 2016,
https://arxiv.org/abs/1606.04080, without the recurrent networks of its "full context".
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from metaglot.models.heads.prototypes import scale_of, scale_start
from metaglot.types import Batch, Params, Problem

KEYS, VALUES, SCALE = "head.keys", "head.values", "head.scale"
LEAST = 1e-12  # of the vote of an example for a class not its own: keeps logarithm and gradient finite


@dataclass(frozen=True)
class Matching:
    """Attention over the support examples; no inner step can move it."""

    scale: float = 10.0

    def init(self, width: int, *, seed: int) -> Params:
        """Return the logarithm of the scale; raise MetaglotError if it is not positive."""
        del width, seed
        return scale_start(self.scale, "matching")

    def start(self, problem: Problem, meta: Params, support: Batch, *, seed: int | None = None) -> Params:
        """Return `head.keys` [S, D], `head.values` [S, C] and `head.scale`."""
        units = problem.units(meta, support, seed=seed)
        return {KEYS: units.features, VALUES: units.targets, SCALE: scale_of(meta, self.scale, units.features)}


def attention_scores(params: Params, features: Tensor) -> Tensor:  # [..., D] -> [..., C]
    """Return the logarithm of the attention mass of each class."""
    keys, values = params[KEYS], params[VALUES]
    similar = params[SCALE] * normalize(features, dim=-1) @ normalize(keys, dim=-1).T  # [..., S]
    votes = similar.log_softmax(-1)[..., None] + values.clamp(min=LEAST).log()  # [..., S, C]
    return torch.logsumexp(votes, dim=-2)
