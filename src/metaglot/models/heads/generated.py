"""Generated: a meta-network writes weight and bias of each class from the set of its support features.

    (Δw_c, Δb_c) = mean over the class of g(t(x_i)),   or of g([t(x_i); variance of t over the class]),
    w_c = s·(μ_c/‖μ_c‖ + Δw_c),   b_c = s·Δb_c,   μ_c the mean of x over the class (of a label, less that of the rest)

g is linear (one layer) or a perceptron with GELU (many); t(x) = x + V tanh(U x) is optional and learnt.  The last
layer starts at zero, so that an untrained generator is the prototype head.  Nothing depends on the order of examples
or classes.  Bansal et al. 2020 (LEOPARD), https://arxiv.org/abs/1911.03863, whose g has two layers with tanh and no
prototype beside it.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import gelu, linear

from metaglot.errors import MetaglotError
from metaglot.models.heads.head import OWN, check_targets
from metaglot.models.heads.prototypes import class_means, near_layer, scale_of, scale_start
from metaglot.seeds import torch_generator
from metaglot.types import Batch, Params, Problem, Targets

CALLED = "a generator"
ABLE: tuple[Targets, ...] = ("class", "labels")
"""The targets that it is made for."""
LAYER = OWN + "generator."
TRANSFORM = OWN + "transform."


@dataclass(frozen=True)
class Generated:
    """A generator of one layer or many, around the scaled prototypes."""

    layers: int = 1
    hidden: int = 64  # width between layers, and of the transformation
    moment: bool = False  # the variance of the class beside its mean
    transform: bool = False  # a learnt map of each example before pooling
    scale: float = 10.0

    def init(self, width: int, *, seed: int) -> Params:
        """Return scale, generator and transformation; raise MetaglotError for no layer or no width."""
        if self.layers < 1 or self.hidden < 1:
            raise MetaglotError(f"a generator needs layers ≥ 1 and hidden ≥ 1, got {self.layers} and {self.hidden}")
        sizes = [width * (2 if self.moment else 1), *[self.hidden] * (self.layers - 1), width + 1]
        start = scale_start(self.scale, "a generated head")
        for i, (inputs, outputs) in enumerate(pairwise(sizes)):
            last = i == self.layers - 1
            start[f"{LAYER}{i}.weight"] = torch.zeros(outputs, inputs) if last else _random(inputs, outputs, seed, i)
            if not last:  # there a bias would be the same for every class, which a softmax does not see
                start[f"{LAYER}{i}.bias"] = torch.zeros(outputs)
        if self.transform:
            start[TRANSFORM + "in"] = _random(width, self.hidden, seed, "in")
            start[TRANSFORM + "out"] = torch.zeros(width, self.hidden)
        return start

    def start(self, problem: Problem, meta: Params, support: Batch, *, seed: int | None = None) -> Params:
        """Return the generated layer."""
        check_targets(problem, CALLED, ABLE)
        units = problem.units(meta, support, seed=seed)
        features, targets, _ = units
        each = generate(meta, read(meta, features, targets))  # [M, D + 1]
        written = class_means(each, targets)  # [C, D + 1]
        scale = scale_of(meta, self.scale, features)
        near = near_layer(units, problem.head_spec, scale.new_ones(()), "cosine")["head.weight"]
        return {"head.weight": scale * (near + written[:, :-1]), "head.bias": scale * written[:, -1]}


def read(meta: Params, features: Tensor, targets: Tensor) -> Tensor:  # [M, D], [M, C] -> [M, D or 2 D]
    """Return what the generator reads of each unit: its features, and the variance of its classes where it asks."""
    width = features.shape[1]
    if TRANSFORM + "in" in meta:
        into, out = (meta[TRANSFORM + part].to(features.dtype) for part in ("in", "out"))
        features = features + linear(torch.tanh(linear(features, into)), out)
    if meta[f"{LAYER}0.weight"].shape[1] == width:
        return features
    share = targets / targets.sum(1, keepdim=True).clamp(min=1)  # of a unit in each class
    spread = class_means((features - share @ class_means(features, targets)).pow(2), targets)
    return torch.cat([features, share @ spread], dim=-1)


def generate(meta: Params, hidden: Tensor) -> Tensor:  # [M, D or 2 D] -> [M, D + 1]
    """Return the generator's output for each unit."""
    count = sum(name.startswith(LAYER) and name.endswith(".weight") for name in meta)
    for i in range(count):
        hidden = linear(gelu(hidden) if i else hidden, meta[f"{LAYER}{i}.weight"].to(hidden.dtype))
        hidden = hidden + meta[f"{LAYER}{i}.bias"].to(hidden.dtype) if i < count - 1 else hidden
    return hidden


def _random(inputs: int, outputs: int, seed: int, *parts: int | str) -> Tensor:  # [outputs, inputs]
    return torch.randn(outputs, inputs, generator=torch_generator(seed, "generator", *parts)) / math.sqrt(inputs)
