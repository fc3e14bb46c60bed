"""A head of zeros: every class is as likely, whatever the text."""

from dataclasses import dataclass

import torch
from torch import Tensor

from metaglot.types import Batch, HeadSpec, Params, Problem


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
        moved = any(name.startswith("body.") for name in meta)  # not where the whole body is frozen
        return zero_layer(problem.head_spec, meta if moved else problem.learner.body())


def zero_layer(spec: HeadSpec, body: Params) -> dict[str, Tensor]:
    """Return a layer of zeros on the device of `body.*`, in its precision or float32 if that is finer."""
    like = next(value for name, value in body.items() if name.startswith("body."))
    dtype = torch.promote_types(like.dtype, torch.float32)
    return {
        "head.weight": torch.zeros(spec.outputs, spec.inputs, device=like.device, dtype=dtype),
        "head.bias": torch.zeros(spec.outputs, device=like.device, dtype=dtype),
    }
