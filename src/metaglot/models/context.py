"""A context vector: the input embedding of every token is moved by W c, and an inner loop moves c alone.

Zintgraf et al. 2019 (CAVIA), https://arxiv.org/abs/1810.03642.  c [size] stands in the parameters as `context.code`,
the meta-learnt map W [D, size] as `algorithm.context.weight`; a learner that meets both adds their product.
"""

import math
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from metaglot.errors import MetaglotError
from metaglot.seeds import torch_generator
from metaglot.types import Params

CODE = "context.code"
MAP = "algorithm.context.weight"
INPUTS = (
    *("word_embeddings", "word_embedding", "tok_embeddings", "embed_tokens", "wte", "shared"),
    *("embed_in", "tokens_embed", "embeddings", "w"),
)
"""What backbones call their input embedding."""


def context_init(body: Params, *, size: int, seed: int) -> dict[str, Tensor]:
    """Return W with columns of about length one; raise MetaglotError for a size below 1 or no input embedding."""
    if size < 1:
        raise MetaglotError(f"a context needs size ≥ 1, got {size}; 32 is usual")
    embedding = next((v for name in INPUTS for n, v in body.items() if n.endswith(f".{name}.weight")), None)
    if embedding is None:
        raise MetaglotError(f"no input embedding among the parameters (known names: {', '.join(INPUTS)})")
    width = embedding.shape[1]
    noise = torch.randn(width, size, generator=torch_generator(seed, "context")) / math.sqrt(width)
    return {MAP: noise.to(embedding)}


def context_start(meta: Params) -> dict[str, Tensor]:
    """Return c = 0."""
    return {CODE: torch.zeros_like(meta[MAP][0])}


@contextmanager
def in_context(module: nn.Module, params: Params) -> Generator[None]:
    """Within the block, the module's input embedding adds W c, where the parameters have a context."""
    if CODE not in params:
        yield
        return
    if MAP not in params:
        raise MetaglotError(f"{CODE} without {MAP}: a context belongs to the model that it was adapted from")
    move = params[MAP] @ params[CODE].to(params[MAP].dtype)  # [D]

    def add(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        return output + move.to(output.dtype)

    weight = cast("Any", module).get_input_embeddings().weight
    # BART and its kin look tokens up in modules of their own, which share the weight.
    tables = [part for part in module.modules() if isinstance(part, nn.Embedding) and part.weight is weight]
    handles = [table.register_forward_hook(add) for table in tables]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
