"""Adam as a differentiable inner rule: m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², θ ← θ − lr·m̂/(√v̂ + ε).

Kingma and Ba 2015, https://arxiv.org/abs/1412.6980.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from metaglot.inner.rule import clip_factor, clip_to_norm
from metaglot.types import Params, RuleState

Tensors = list[Tensor]
CACHED = 2**18  # numbers of a tensor; seven of them are read or written


@dataclass(frozen=True)
class Adam:
    """Adam with bias correction; the state holds `m.<name>`, `v.<name>`."""

    lr: float = 5e-5
    head_lr: float | None = None  # lr if None
    clip: float | None = 1.0
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def learnt(self, moving: Params, *, steps: int, seed: int) -> Params:
        """Return nothing: its rates are fixed."""
        del moving, steps, seed
        return {}

    def init(self, meta: Params, fast: Params) -> RuleState:
        """Return zero moments."""
        del meta
        zeros = {f"m.{name}": torch.zeros_like(value) for name, value in fast.items()}
        return zeros | {f"v.{name}": torch.zeros_like(value) for name, value in fast.items()}

    def update(
        self, meta: Params, fast: Params, grads: Params, loss: Tensor, state: RuleState, step: int
    ) -> tuple[Params, RuleState]:
        """Return the parameters after step number `step` (from 0)."""
        del meta, loss
        names, recorded = list(fast), torch.is_grad_enabled()
        if recorded and self.clip is not None:
            grads = clip_to_norm(grads, self.clip)
        params, gs = [fast[n] for n in names], [grads[n] for n in names]
        m, v = [state[f"m.{n}"] for n in names], [state[f"v.{n}"] for n in names]
        rates = [self._rate(n, step) for n in names]
        if recorded:
            params, m, v = self._recorded(params, gs, m, v, rates, step)
        else:
            scale = 1.0 if self.clip is None else float(clip_factor(gs, self.clip))
            for part in _parts(params):
                self._in_place(params[part], gs[part], m[part], v[part], rates[part], step, scale)
        moments = {f"m.{n}": x for n, x in zip(names, m, strict=True)}
        moments |= {f"v.{n}": x for n, x in zip(names, v, strict=True)}
        return dict(zip(names, params, strict=True)), moments

    def _rate(self, name: str, step: int) -> float:
        lr = self.head_lr if self.head_lr is not None and name.startswith("head.") else self.lr
        return lr / (1 - self.betas[0] ** (step + 1))

    def _recorded(
        self, params: Tensors, grads: Tensors, m: Tensors, v: Tensors, rates: list[float], step: int
    ) -> tuple[Tensors, Tensors, Tensors]:
        first, second = self.betas
        m = [x * first + g * (1 - first) for x, g in zip(m, grads, strict=True)]
        v = [x * second + g * g * (1 - second) for x, g in zip(v, grads, strict=True)]
        correction = 1 - second ** (step + 1)
        # ε² under the root keeps the derivative finite where g = 0 (the plain form has √0 there).
        roots = [(x / correction + self.eps**2).sqrt() for x in v]
        moved = [p - r * x / root for p, r, x, root in zip(params, rates, m, roots, strict=True)]
        return moved, m, v

    def _in_place(
        self, params: Tensors, grads: Tensors, m: Tensors, v: Tensors, rates: list[float], step: int, scale: float
    ) -> None:
        """Do the same without a graph, in place, for gradients that are to be scaled."""
        first, second = self.betas
        ops = cast("Any", torch)  # the list operations have no public name, but optimisers of torch stand on them
        grads = ops._foreach_mul(grads, scale) if scale < 1 else grads
        ops._foreach_lerp_(m, grads, 1 - first)
        ops._foreach_mul_(v, second)
        ops._foreach_addcmul_(v, grads, grads, 1 - second)
        roots = ops._foreach_div(v, 1 - second ** (step + 1))
        ops._foreach_add_(roots, self.eps**2)
        ops._foreach_sqrt_(roots)
        ops._foreach_addcdiv_(params, m, roots, [-r for r in rates])


def _parts(params: Tensors) -> Iterator[slice]:
    """Yield runs of the parameters that stay in a processor's cache from one operation to the next; on a GPU all."""
    if params and params[0].device.type != "cpu":
        yield slice(None)
        return
    begin, held = 0, 0
    for i, value in enumerate(params):
        if held and held + value.numel() > CACHED:
            yield slice(begin, i)
            begin, held = i, 0
        held += value.numel()
    yield slice(begin, len(params))
