"""The mode of a network: dropout draws in training, and rests elsewhere."""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn

from metaglot.seeds import seeded


@contextmanager
def in_mode(module: nn.Module, *, training: bool) -> Generator[None]:
    """Within the block every part of the module is in one mode; afterwards each part has the mode it had.

    Parts that are in the mode already are left alone: to set it costs a tenth of a pass through a small network.
    """
    others = [part for part in module.modules() if part.training != training]
    for part in others:
        part.training = training
    try:
        yield
    finally:
        for part in others:
            part.training = not training


def draws_of(seed: int | None, device: torch.device) -> AbstractContextManager[None]:
    """Return a block in which dropout and tokens are drawn by a seed; without one nothing is drawn."""
    return nullcontext() if seed is None else seeded(seed, device)
