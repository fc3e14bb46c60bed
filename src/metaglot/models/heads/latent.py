"""Latent: a task is a low-dimensional code of each class, which a learnt map decodes into the layer.

    z_c = E μ_c/‖μ_c‖,   (w_c, b_c) = s·D z_c,      μ_c the mean feature of class c (of a label, less that of the rest)

The inner loop moves `head.code` [C, d] instead of weights [C, D], through the decoder.  E starts with orthonormal rows
(or columns where d > D) and D as its transpose, so that an untrained head compares with projected prototypes, and with
prototypes themselves if d ≥ D.  Rusu et al. 2019 (LEO), https://arxiv.org/abs/1807.05960, without its relation network,
sampling of codes and weights, regularisers, and final steps in the space of weights.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from metaglot.errors import MetaglotError
from metaglot.models.heads.head import OWN, check_targets
from metaglot.models.heads.prototypes import LOG_SCALE, near_layer, scale_start
from metaglot.seeds import torch_generator
from metaglot.types import Batch, Params, Problem, Targets

CALLED = "codes"
ABLE: tuple[Targets, ...] = ("class", "labels")
"""The targets that it is made for."""
CODE = "head.code"
ENCODER, DECODER = OWN + "encoder", OWN + "decoder"


@dataclass(frozen=True)
class Latent:
    """Class codes of `size` numbers, between a learnt encoder and a learnt decoder."""

    size: int = 64
    scale: float = 10.0

    def init(self, width: int, *, seed: int) -> Params:
        """Return scale, encoder [d, D] and decoder [D + 1, d]; raise MetaglotError for a code without numbers."""
        if self.size < 1:
            raise MetaglotError(f"a latent code needs size ≥ 1, got {self.size}; 64 is usual")
        noise = torch.randn(max(width, self.size), min(width, self.size), generator=torch_generator(seed, "latent"))
        square, _ = torch.linalg.qr(noise)  # [the larger, the smaller], orthonormal columns
        encoder = square.T.contiguous() if self.size <= width else square
        decoder = torch.cat([encoder.T, torch.zeros(1, self.size)])
        return {**scale_start(self.scale, "a latent head"), ENCODER: encoder, DECODER: decoder}

    def start(self, problem: Problem, meta: Params, support: Batch, *, seed: int | None = None) -> Params:
        """Return `head.code` [C, d]."""
        units = problem.units(meta, support, seed=seed)
        check_targets(problem, CALLED, ABLE)
        unit = units.features.new_ones(())
        near = near_layer(units, problem.head_spec, unit, "cosine")["head.weight"]
        return {CODE: near @ meta[ENCODER].to(near.dtype).T}


def decoded(params: Params) -> tuple[Tensor, Tensor]:  # [C, D], [C]
    """Return weight and bias of the codes, by the decoder that stands beside them."""
    code = params[CODE]
    layer = params[LOG_SCALE].exp() * code @ params[DECODER].to(code.dtype).T  # [C, D + 1]
    return layer[:, :-1], layer[:, -1]
