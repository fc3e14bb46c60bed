"""Matching: attention over the support set, a vote of neighbours by their similarity.

    a_i = softmax_i( s·cos(x, k_i) ),   p(y = c | x) = Σ_i a_i [y_i = c]

The scores are log p, so that softmax gives p back.  Of labels, of which an example may have several, the scores are
log p/(1 − p), and of numbers the mean Σ_i a_i y_i: the regression of Nadaraya and Watson.  Keys are the support
features, s is learnt.  Vinyals et al. 2016, https://arxiv.org/abs/1606.04080, without the recurrent networks of its
"full context".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn.functional import normalize

from metaglot.models.heads.prototypes import scale_of, scale_start
from metaglot.types import Batch, Params, Problem, Targets

KEYS, VALUES, SCALE = "head.keys", "head.values", "head.scale"
LABELS, NUMBERS = "head.labels", "head.numbers"  # in place of the values of classes
BY_TARGETS: Mapping[Targets, str] = MappingProxyType({"class": VALUES, "labels": LABELS, "numbers": NUMBERS})
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
        """Return `head.keys` [S, D], the targets [S, C] by a name of their kind, and `head.scale`."""
        units = problem.units(meta, support, seed=seed)
        values = BY_TARGETS[problem.head_spec.targets]
        return {KEYS: units.features, values: units.targets, SCALE: scale_of(meta, self.scale, units.features)}


def attention_scores(params: Params, features: Tensor) -> Tensor:  # [..., D] -> [..., C]
    """Return the logarithm of the attention mass of each class, its log odds for each label, or the mean number."""
    similar = params[SCALE] * normalize(features, dim=-1) @ normalize(params[KEYS], dim=-1).T  # [..., S]
    if NUMBERS in params:
        return similar.softmax(-1) @ params[NUMBERS]
    if LABELS in params:
        return _mass(similar, params[LABELS]) - _mass(similar, 1 - params[LABELS])
    return _mass(similar, params[VALUES])


def _mass(similar: Tensor, values: Tensor) -> Tensor:  # [..., S], [S, C] -> [..., C]
    votes = similar.log_softmax(-1)[..., None] + values.clamp(min=LEAST).log()  # [..., S, C]
    return torch.logsumexp(votes, dim=-2)
