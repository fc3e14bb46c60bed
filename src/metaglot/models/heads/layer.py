"""From any form of `head.*` to scores, and to a plain layer where there is one."""

from torch import Tensor

from metaglot.models.heads.latent import CODE, decoded
from metaglot.models.heads.matching import BY_TARGETS, KEYS, SCALE, attention_scores
from metaglot.models.heads.memory import ASKED, memory_scores
from metaglot.types import Params


def scores(params: Params, features: Tensor) -> Tensor:  # [..., D] -> [..., C]
    """Return the scores of a head: x Wᵀ + b, or log attention mass where it is a support set, or both of a memory.

    A layer reads the first features; what stands behind them is for a memory.
    """
    if KEYS in params:
        return attention_scores(params, features)
    if ASKED in params:
        return memory_scores(params, features)
    weight, bias = linear_layer(params)
    return features[..., : weight.shape[1]] @ weight.T + bias


def linear_layer(params: Params) -> tuple[Tensor, Tensor]:  # [C, D], [C]
    """Return weight and bias of a head: its own, or what its code is decoded to."""
    return decoded(params) if CODE in params else (params["head.weight"], params["head.bias"])


def resolved(params: Params, meta: Params) -> dict[str, Tensor]:
    """Return adapted parameters whose head stands without meta-parameters: a code becomes a layer.

    A support set (`head.keys`, its targets, `head.scale`) has no layer and stays.
    """
    plain = dict(params)
    if CODE in params:
        del plain[CODE]
        plain["head.weight"], plain["head.bias"] = linear_layer({**meta, **params})
    # Contiguous, so that a saved one gives the same products bit for bit.
    return {name: value.detach().contiguous() for name, value in plain.items()}


def head_size(params: Params) -> tuple[int, int]:
    """Return classes and features of a resolved head; raise ValueError or KeyError where its tensors do not fit."""
    values = next((name for name in BY_TARGETS.values() if name in params), "")
    parts = [params[name] for name in ((values, KEYS, SCALE) if KEYS in params else ("head.weight", "head.bias"))]
    shapes = [tuple(part.shape) for part in parts]
    if KEYS in params:
        (count, classes), (keys, width), scale = shapes
        fits = count == keys and scale == ()
    else:
        (classes, width), bias = shapes
        fits = bias == (classes,)
    if not fits:
        raise ValueError(f"a head of tensors that do not fit: {shapes}")
    return classes, width
