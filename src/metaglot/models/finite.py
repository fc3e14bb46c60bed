"""Weights that are no numbers are refused where they are read: one of them makes every answer nothing."""

from collections.abc import Mapping

import torch
from torch import Tensor

from metaglot.errors import MetaglotError


def check_finite(weights: Mapping[str, Tensor], where: str) -> None:
    """Raise MetaglotError for a weight that is not a number or is infinite, with its name and place."""
    for name, value in weights.items():
        if not value.is_floating_point() or _is_finite(value):
            continue
        wrong = (~torch.isfinite(value)).nonzero()
        first = value[tuple(wrong[0])].item() if value.ndim else value.item()
        raise MetaglotError(
            f"{where}: the weight {name} holds {len(wrong):,} of {value.numel():,} values that are no numbers (the "
            f"first is {first} at {wrong[0].tolist()}); copy or download the weights again, or train with a lower rate"
        )


def _is_finite(value: Tensor) -> bool:
    """Whether all values are numbers: a finite sum proves it in a twentieth of the time; another refutes nothing."""
    return bool(torch.isfinite(value.sum())) or bool(torch.isfinite(value).all())
