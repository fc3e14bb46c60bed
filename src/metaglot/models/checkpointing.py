"""Activation checkpointing under substituted parameters: a layer's activations are dropped and computed again.

Between a forward pass and the backward pass that recomputes it, the substituted parameters have left the module:
recomputing then would take the frozen weights, with no error, and give the gradient of another function.  So each layer
remembers the tensors that stood in it and whether dropout was on, and puts both back for the recomputation; torch's
non-reentrant checkpoint restores the random state and autocast, and can be differentiated twice.

Chen et al. 2016, https://arxiv.org/abs/1604.06174
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.stateless import (
    _reparametrize_module,  # pyright: ignore[reportPrivateUsage]  # what functional_call itself uses
)
from torch.utils.checkpoint import checkpoint

from metaglot.models.mode import in_mode
from metaglot.models.prefix import Held, held_in, holding
from metaglot.models.turns import turn

Forward = Callable[..., Any]


@contextmanager
def checkpointed(module: nn.Module, whole: nn.Module | None = None, *, training: bool) -> Generator[None]:
    """Within the block, each layer of the module keeps its inputs alone where gradients are recorded.

    It is computed again in the turn of `whole`, the module that this one is part of, or itself.
    """
    layers = layers_of(module) if torch.is_grad_enabled() else []
    before = {layer: layer.__dict__.get("forward") for layer in layers}
    try:
        for layer in layers:
            layer.forward = _recomputed(layer, layer.forward, whole or module, training=training)
        yield
    finally:
        for layer, own in before.items():
            if own is None:
                layer.__dict__.pop("forward", None)
            else:
                layer.forward = own


def layers_of(module: nn.Module) -> list[nn.Module]:
    """Return the layers of a network: the members of its outermost lists of modules."""
    if isinstance(module, nn.ModuleList):
        return list(module)
    return [layer for child in module.children() for layer in layers_of(child)]


def _recomputed(layer: nn.Module, forward: Forward, whole: nn.Module, *, training: bool) -> Forward:
    def run(*args: Any, **kwargs: Any) -> Any:
        held = dict(layer.named_parameters(remove_duplicate=False))  # what is substituted now
        prefixes = held_in(layer)

        def again(*args: Any) -> Any:
            with turn(whole), _as_it_was(layer, held, prefixes, training=training):
                return forward(*args, **kwargs)

        return checkpoint(again, *args, use_reentrant=False)

    return run


@contextmanager
def _as_it_was(
    layer: nn.Module, held: Mapping[str, Tensor], prefixes: Mapping[nn.Module, Held], *, training: bool
) -> Generator[None]:
    with in_mode(layer, training=training), _reparametrize_module(layer, dict(held)), holding(prefixes):
        yield
