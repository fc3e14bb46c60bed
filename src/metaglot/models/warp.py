"""Warps: learnt square matrices T after chosen layers, y = T (W x + b), that no inner loop moves.

    W ← W − α ∂L/∂W,   ∂L/∂W = Tᵀ (∂L/∂y) xᵀ,     so that T Tᵀ preconditions the step as it is felt in y

Lee and Choi 2018 (T-Net), https://arxiv.org/abs/1801.05558; Flennerhag et al. 2020 (WarpGrad),
https://arxiv.org/abs/1909.00025.  T stands in the parameters as `algorithm.warp.<weight>`, the identity at the start; a
learner that meets it multiplies the weight and its bias.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from metaglot.errors import MetaglotError
from metaglot.models.targets import default_targets, matching
from metaglot.types import Params

PREFIX = "algorithm.warp."
EMBEDDINGS = ("embed", "wte", "wpe")  # parts of the names of tables, which have no output side


def warped(body: Params, targets: Sequence[str] | None) -> list[str]:
    """Return the weights (names without prefix) that the targets match, as `Lora` matches and finds them.

    Raises MetaglotError for no target, and for one that matches no weight matrix.
    """
    tables = [n for n, v in body.items() if v.ndim == 2 and n.endswith(".weight")]
    names = [n for n in tables if not any(part in n for part in EMBEDDINGS)]
    targets = default_targets(names) if targets is None else targets
    if not targets:
        raise MetaglotError('warps need at least one target, such as "query"')
    for target in targets:
        if not matching(names, target):
            choices = sorted({n.rsplit(".", 2)[-2] for n in names})
            raise MetaglotError(f"warp target {target!r} matches no weight matrix; there are: {', '.join(choices)}")
    weights = {name for target in targets for name in matching(names, target)}
    return [name.removeprefix("body.") for name in names if name in weights]


def warp_init(body: Params, *, targets: Sequence[str] | None) -> dict[str, Tensor]:
    """Return the identity for each warped weight, of its output side (the length of its bias, if it has one)."""
    start: dict[str, Tensor] = {}
    for name in warped(body, targets):
        weight = body[f"body.{name}"]
        size = len(body.get(f"body.{bias_of(name)}", weight))
        start[PREFIX + name] = torch.eye(size).to(weight)
    return start


def bias_of(weight: str) -> str:
    """Return the name of the bias beside a weight."""
    return weight.removesuffix("weight") + "bias"


def apply_warp(
    body: dict[str, Tensor], params: Params, frozen: Mapping[str, Tensor], module: nn.Module
) -> dict[str, Tensor]:
    """Return `body` (names without prefix) with every warped weight and bias multiplied by its matrix."""
    out = body
    for key, matrix in params.items():
        if not key.startswith(PREFIX):
            continue
        name = key.removeprefix(PREFIX)
        if name not in frozen:
            raise MetaglotError(f"the backbone has no weight {name}; load the one that the warp was learnt for")
        out = out if out is not body else dict(body)
        weight = out[name] if name in out else frozen[name].detach()
        # GPT-2 keeps its weights as [in, out].
        transposed = isinstance(module.get_submodule(name.rpartition(".")[0]), Conv1D)
        out[name] = weight @ matrix.T if transposed else matrix @ weight
        bias = bias_of(name)
        if bias in frozen:
            out[bias] = matrix @ (out[bias] if bias in out else frozen[bias].detach())
    return out
