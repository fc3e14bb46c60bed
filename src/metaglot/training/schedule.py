"""Learning-rate schedule: linear warm-up, then a cosine to zero (or constant)."""

import math
from typing import Literal

Schedule = Literal["cosine", "constant"]


def factor(step: int, *, steps: int, warmup: int, schedule: Schedule = "cosine") -> float:
    """Return the factor on the learning rate for step number `step` (from 0) of `steps`."""
    if step < warmup:
        return (step + 1) / warmup
    if schedule == "constant":
        return 1.0
    progress = (step - warmup) / max(1, steps - warmup)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
