"""Heads: how a task's output layer begins.  Each start returns `head.weight` [C, D] and `head.bias` [C]."""

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from metaglot.errors import MetaglotError
from metaglot.types import Batch, HeadSpec, Params, Problem

LOG_SCALE = "algorithm.head.log_scale"


class Head(Protocol):
    """Begins a task's output layer."""

    def init(self, width: int, *, seed: int) -> Params:
        """Return the meta-parameters that the head needs (names `algorithm.head.*`), for features [B, width]."""
        ...

    def start(self, problem: Problem, meta: Params, support: Batch, *, seed: int | None = None) -> Params:
        """Return `head.*` for the task; differentiable in `meta`."""
        ...


@dataclass(frozen=True)
class Zeros:
    """All weights zero: every class is as likely, whatever the text."""

    def init(self, width: int, *, seed: int) -> Params:
        """Return nothing."""
        del width, seed
        return {}

    def start(self, problem: Problem, meta: Params, support: Batch, *, seed: int | None = None) -> Params:
        """Return zeros of the task's shape."""
        del support, seed
        return zero_layer(problem.head_spec, meta)


@dataclass(frozen=True)
class Prototypes:
    """Each class begins as the mean of its support features, with a learnt scale s.

    cosine: score = s·⟨x, c/‖c‖⟩; euclidean: score = −s·‖x − c‖² up to a constant in c, which is linear in x:
    weight 2 s c, bias −s‖c‖².  Snell et al. 2017, https://arxiv.org/abs/1703.05175; as the start of a
    gradient learner: Triantafillou et al. 2020, https://arxiv.org/abs/1903.03096.
    """

    metric: Literal["cosine", "euclidean"] = "cosine"
    scale: float = 10.0

    def init(self, width: int, *, seed: int) -> Params:
        """Return the logarithm of the scale; raise MetaglotError if it is not positive."""
        del width, seed
        if not self.scale > 0:
            raise MetaglotError(f"the scale of prototypes must be above 0, got {self.scale}; 10 is usual")
        return {LOG_SCALE: torch.tensor(math.log(self.scale))}

    def start(self, problem: Problem, meta: Params, support: Batch, *, seed: int | None = None) -> Params:
        """Return the linear layer that compares with the class means."""
        features = problem.features(meta, support, seed=seed)
        means = class_means(features, support["labels"], problem.head_spec.outputs)
        scale = meta[LOG_SCALE].exp() if LOG_SCALE in meta else features.new_tensor(self.scale)
        return prototype_layer(means, scale, self.metric)


def zero_layer(spec: HeadSpec, body: Params) -> dict[str, Tensor]:
    """Return a layer of zeros on the device of `body.*`, in its precision or float32 if that is finer."""
    like = next(value for name, value in body.items() if name.startswith("body."))
    dtype = torch.promote_types(like.dtype, torch.float32)
    return {
        "head.weight": torch.zeros(spec.outputs, spec.inputs, device=like.device, dtype=dtype),
        "head.bias": torch.zeros(spec.outputs, device=like.device, dtype=dtype),
    }


def class_means(features: Tensor, labels: Tensor, classes: int) -> Tensor:  # [B, D], [B] -> [C, D]
    """Return the mean feature of each class; a class without an example gets zeros."""
    one_hot = torch.nn.functional.one_hot(labels, classes).to(features.dtype)  # [B, C]
    return one_hot.T @ features / one_hot.sum(0).clamp(min=1)[:, None]


def prototype_layer(means: Tensor, scale: Tensor, metric: str) -> dict[str, Tensor]:
    """Return the linear layer whose scores are those of a prototype classifier with these class means [C, D]."""
    if metric == "cosine":
        weight = scale * torch.nn.functional.normalize(means, dim=-1)
        return {"head.weight": weight, "head.bias": means.new_zeros(means.shape[0])}
    return {"head.weight": 2 * scale * means, "head.bias": -scale * means.pow(2).sum(-1)}
