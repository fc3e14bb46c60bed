"""Adam as a differentiable inner rule: m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², θ ← θ − lr·m̂/(√v̂ + ε).

Kingma and Ba 2015, https://arxiv.org/abs/1412.6980.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.adam import adam

from metaglot.inner.rule import clip_factor, clip_to_norm, rate_of
from metaglot.types import Params, RuleState

Tensors = list[Tensor]


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
        rates = [rate_of(n, self.lr, self.head_lr) for n in names]
        if recorded:
            params, m, v = self._recorded(params, gs, m, v, rates, step)
        elif names:
            self._in_place(params, gs, m, v, rates, step)
        moments = {f"m.{n}": x for n, x in zip(names, m, strict=True)}
        moments |= {f"v.{n}": x for n, x in zip(names, v, strict=True)}
        return dict(zip(names, params, strict=True)), moments

    def _recorded(
        self, params: Tensors, grads: Tensors, m: Tensors, v: Tensors, rates: list[float], step: int
    ) -> tuple[Tensors, Tensors, Tensors]:
        first, second = self.betas
        m = [x * first + g * (1 - first) for x, g in zip(m, grads, strict=True)]
        v = [x * second + g * g * (1 - second) for x, g in zip(v, grads, strict=True)]
        correction = 1 - second ** (step + 1)
        rates = [rate / (1 - first ** (step + 1)) for rate in rates]
        roots = [_root(x / correction) + self.eps for x in v]
        moved = [p - r * x / root for p, r, x, root in zip(params, rates, m, roots, strict=True)]
        return moved, m, v

    def _in_place(self, params: Tensors, grads: Tensors, m: Tensors, v: Tensors, rates: list[float], step: int) -> None:
        """Do the same without a graph, in place and in one pass over memory."""
        # The fused kernel reads memory in order; a gradient may be the transpose of what lies there.
        grads = [
            g if g.stride() == p.stride() else torch.empty_like(p).copy_(g) for g, p in zip(grads, params, strict=True)
        ]
        if self.clip is not None and (factor := float(clip_factor(grads, self.clip))) < 1:
            for grad in grads:
                grad.mul_(factor)
        for rate in sorted(set(rates)):
            own = [i for i, one in enumerate(rates) if one == rate]
            adam(
                *([of[i] for i in own] for of in (params, grads, m, v)),
                max_exp_avg_sqs=[],
                state_steps=[torch.tensor(float(step), device=params[i].device) for i in own],
                fused=params[0].device.type != "mps",  # as in training
                amsgrad=False,
                beta1=self.betas[0],
                beta2=self.betas[1],
                lr=rate,
                weight_decay=0.0,
                eps=self.eps,
                maximize=False,
            )


def _root(value: Tensor) -> Tensor:
    """Return √value, whose derivative is 0 where it is 0, not infinite: there m is 0 too, which it multiplies."""
    nothing = value == 0
    return value.masked_fill(nothing, 1.0).sqrt().masked_fill(nothing, 0.0)
