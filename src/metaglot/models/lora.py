"""LoRA: a weight W [m, n] moves only by a product of two thin matrices, W + s·B A, B [m, r], A [r, n].

Hu et al. 2021, https://arxiv.org/abs/2106.09685.  The pair stands in the parameters as `lora.<weight>.a` and
`lora.<weight>.b`; a learner that meets them adds their product, so that an inner loop carries nothing else.
Where a pair starts is meta-learnt, as `algorithm.lora.<weight>.a` and `.b`: it stands in for a pair that is not there,
so that a model before any step is the one that was meta-learnt.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from metaglot.errors import MetaglotError
from metaglot.models.targets import default_targets, is_matrix, matching, matrices_of
from metaglot.seeds import torch_generator
from metaglot.types import Params

PREFIX = "lora."
LEARNT = "algorithm." + PREFIX  # where a pair starts
SCALE = 2.0  # alpha / r of the paper with alpha = 2 r


def lora_init(body: Params, *, rank: int, targets: Sequence[str] | None, seed: int) -> dict[str, Tensor]:
    """Return `lora.<weight>.a` (uniform, Kaiming) and `.b` (zeros) for each weight matrix that a target matches.

    Targets are shell patterns on names such as `body.encoder.layer.0.attention.self.query.weight`; None takes the
    queries and values of the attention (`models/targets.py`).  A convolution over single places is a matrix too.
    Raises MetaglotError for a target that matches no weight matrix, for no target, and for a rank below 1.
    """
    if rank < 1:
        raise MetaglotError(f"LoRA needs a rank of at least 1, got {rank}")
    matrices = matrices_of(body)
    targets = default_targets(matrices) if targets is None else targets
    if not targets:
        raise MetaglotError('LoRA needs at least one target, such as "query"')
    start: dict[str, Tensor] = {}
    for target in targets:
        matched = matching(matrices, target)
        if not matched:
            names = sorted({name.rsplit(".", 2)[-2] for name in matrices})
            raise MetaglotError(f"LoRA target {target!r} matches no weight matrix; there are: {', '.join(names)}")
        for name in matched:
            m, n = body[name].shape[:2]
            noise = torch.rand(rank, n, generator=torch_generator(seed, "lora", name)) * 2 - 1
            key = PREFIX + name.removeprefix("body.")
            start[key + ".a"] = (noise / math.sqrt(n)).to(body[name])
            start[key + ".b"] = torch.zeros(m, rank).to(body[name])
    return start


def apply_lora(body: dict[str, Tensor], params: Params, frozen: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return `body` (names without prefix) with every pair in `params` added to its weight; a moved one before a start.

    Raises MetaglotError for a pair that belongs to no weight of the backbone.
    """
    out = body
    for name, (a, b) in pairs_of(params).items():
        if name not in body and name not in frozen:
            raise MetaglotError(f"the backbone has no weight {name}; load the one that the LoRA update was made for")
        weight = body[name] if name in body else frozen[name].detach()
        if not is_matrix(weight) or (b.shape[0], a.shape[-1]) != tuple(weight.shape[:2]):
            raise MetaglotError(f"the LoRA update of {name} does not fit it; load the backbone that it was made for")
        out = out if out is not body else dict(body)
        out[name] = weight + SCALE * (b @ a).view_as(weight)
    return out


def pairs_of(
    params: Params, prefix: str = PREFIX, parts: tuple[str, str] = ("a", "b")
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return the pair (A, B) of each weight that has one: `lora.*`, or else where it starts, `algorithm.lora.*`.

    With another prefix and other parts: the pairs that these name.
    """
    first, second = (f".{part}" for part in parts)
    pairs: dict[str, tuple[Tensor, Tensor]] = {}
    for begin in ("algorithm." + prefix, prefix):  # a moved pair takes the place of its start
        for key, value in params.items():
            if key.startswith(begin) and key.endswith(first):
                name = key.removesuffix(first)
                pairs[name.removeprefix(begin)] = value, params[name + second]
    return pairs
