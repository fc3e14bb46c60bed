"""Prototypes: each class begins as the mean of its support features, with a learnt scale s.

    cosine: score = s·⟨x, c/‖c‖⟩      euclidean: score = −s·‖x − c‖²

up to a constant in c; the latter is linear in x, with weight 2 s c and bias −s‖c‖².  Of labels, of which a unit may
have several, each has two prototypes, and its score is that of the units with it less that of the units without it.
Numbers have no prototypes.  Ridge regression takes their place, which has their direction where its
penalty is large.  Snell et al. 2017,
https://arxiv.org/abs/1703.05175; as the start of a gradient learner: Triantafillou et al. 2020,
https://arxiv.org/abs/1903.03096.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from metaglot.errors import MetaglotError
from metaglot.models.heads.head import OWN
from metaglot.models.heads.solution import centred_layer
from metaglot.types import Batch, HeadSpec, Params, Problem, Units

LOG_SCALE = OWN + "log_scale"


@dataclass(frozen=True)
class Prototypes:
    """The class means of the support features, compared by angle or by distance."""

    metric: Literal["cosine", "euclidean"] = "cosine"
    scale: float = 10.0

    def init(self, width: int, *, seed: int) -> Params:
        """Return the logarithm of the scale; raise MetaglotError if it is not positive."""
        del width, seed
        return scale_start(self.scale, "prototypes")

    def start(self, problem: Problem, meta: Params, support: Batch, *, seed: int | None = None) -> Params:
        """Return the linear layer that compares with the class means."""
        units = problem.units(meta, support, seed=seed)
        if problem.head_spec.targets == "numbers":
            return centred_layer(units, units.features.new_ones(()))
        return near_layer(units, problem.head_spec, scale_of(meta, self.scale, units.features), self.metric)


def near_layer(units: Units, spec: HeadSpec, scale: Tensor, metric: str) -> dict[str, Tensor]:
    """Return the layer that compares with the means of classes, or of the units with and without each label."""
    layer = prototype_layer(class_means(units.features, units.targets), scale, metric)
    if spec.targets == "class":
        return layer
    rest = prototype_layer(class_means(units.features, 1 - units.targets), scale, metric)
    return {name: value - rest[name] for name, value in layer.items()}


EUCLIDEAN = partial(Prototypes, metric="euclidean")


def class_means(features: Tensor, targets: Tensor) -> Tensor:  # [M, D], [M, C] -> [C, D]
    """Return the mean feature of each class; a class without a unit gets zeros."""
    return targets.T @ features / targets.sum(0).clamp(min=1)[:, None]


def prototype_layer(means: Tensor, scale: Tensor, metric: str) -> dict[str, Tensor]:
    """Return the linear layer whose scores are those of a prototype classifier with these class means [C, D]."""
    if metric == "cosine":
        weight = scale * torch.nn.functional.normalize(means, dim=-1)
        return {"head.weight": weight, "head.bias": means.new_zeros(means.shape[0])}
    return {"head.weight": 2 * scale * means, "head.bias": -scale * means.pow(2).sum(-1)}


def scale_start(scale: float, of: str) -> dict[str, Tensor]:
    """Return the logarithm of a scale of cosines as a meta-parameter; raise MetaglotError if it is not positive."""
    return {LOG_SCALE: log_of(scale, f"the scale of {of}", "10 is usual")}


def log_of(value: float, what: str, usual: str) -> Tensor:
    """Return the logarithm of a number that is learnt so; raise MetaglotError if it is not positive."""
    if not (value > 0 and math.isfinite(value)):
        raise MetaglotError(f"{what} must be above 0, got {value}; {usual}")
    return torch.tensor(math.log(value))


def scale_of(meta: Params, default: float, like: Tensor) -> Tensor:
    """Return the learnt scale, or the default where nothing was learnt."""
    return meta[LOG_SCALE].exp() if LOG_SCALE in meta else like.new_tensor(default)
