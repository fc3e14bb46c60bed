"""A recurrent rule: an LSTM reads gradient and loss coordinate by coordinate and writes the update.

    x_i = (pre(g_i), pre(ℓ)),  (h_i, c_i) ← LSTM(x_i, h_i, c_i),  θ_i ← θ_i − lr·α g_i − scale·s·⟨w, h_i⟩
    pre(z) = (log max(|z|, e⁻ᵖ) / p, clip(eᵖ z, −1, 1)),  p = 10

The weights are shared over all coordinates; each coordinate has a state of its own.  α and s are learnt, one of each
for the body and one for the head, and start at 1; w starts at zero, so that the rule starts as gradient descent.

The derivative of pre is up to eᵖ where a gradient is small, which makes the exact derivative of a loop too rough to
learn from.  So what the LSTM reads counts as constant, as in both papers (−lr·α g is differentiated all the same);
with `through=True` it is differentiated too, and an exact estimator is exact.

A step's graph holds about 20·H numbers for each coordinate that moves (H the hidden size; in float32 with H = 8 some
50 MB for LoRA of rank 8 on queries and values of a 384-wide body of 6 layers, 15 GB for a whole body of 22 M).

Andrychowicz et al. 2016, https://arxiv.org/abs/1606.04474; Ravi and Larochelle 2017,
https://openreview.net/forum?id=rJY0-Kcll
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from metaglot.errors import MetaglotError
from metaglot.inner.rates import rates_of
from metaglot.inner.rule import RATE, clip_to_norm
from metaglot.seeds import torch_generator
from metaglot.types import Params, RuleState

LSTM, SCALE = "algorithm.rule.lstm.", "algorithm.rule.scale."
PARTS = ("body", "head")
SMALLEST = 10.0  # p
INPUTS = 4


@dataclass(frozen=True)
class Recurrent:
    """An LSTM that writes updates; the state holds `h` and `c` [N, hidden] over all N coordinates that move."""

    lr: float | None = 1e-2  # Polyak's at each step if None (`inner/rates.py`)
    head_lr: float | None = None  # lr if None
    hidden: int = 8
    scale: float = 0.01  # of what the LSTM writes
    clip: float | None = None  # joint norm of the inner gradient
    through: bool = False  # whether what the LSTM reads is differentiated

    def learnt(self, moving: Params, *, steps: int, seed: int) -> Params:
        """Return the LSTM's weights, rates and scales; raise MetaglotError for a hidden size below 1."""
        del moving, steps
        if self.hidden < 1:
            raise MetaglotError(f"the recurrent rule needs a hidden size of at least 1, got {self.hidden}")
        size, rng = self.hidden, torch_generator(seed, "lstm")
        bias = torch.zeros(4 * size)
        bias[size : 2 * size] = 1.0  # what it remembers it keeps, to begin with
        return {
            LSTM + "input": _uniform(4 * size, INPUTS, rng, size),
            LSTM + "hidden": _uniform(4 * size, size, rng, size),
            LSTM + "bias": bias,
            LSTM + "out": torch.zeros(size),
            **{kind + part: torch.ones(()) for kind in (RATE, SCALE) for part in PARTS},
        }

    def init(self, meta: Params, fast: Params) -> RuleState:
        """Return a state of zeros."""
        del meta
        like, count = next(iter(fast.values())), sum(value.numel() for value in fast.values())
        return {part: like.new_zeros(count, self.hidden) for part in ("h", "c")}

    def update(
        self, meta: Params, fast: Params, grads: Params, loss: Tensor, state: RuleState, step: int
    ) -> tuple[Params, RuleState]:
        """Return the parameters and the state after one step of the LSTM."""
        del step
        grads = clip_to_norm(grads, self.clip) if self.clip is not None else grads
        flat = torch.cat([grads[name].flatten() for name in fast])  # [N]
        read = torch.cat([preprocessed(flat), preprocessed(loss.to(flat)).expand(len(flat), 2)], 1)
        h, c = lstm_step(meta, read if self.through else read.detach(), state["h"], state["c"])
        written = (h @ meta[LSTM + "out"].to(h)).split([value.numel() for value in fast.values()])
        rates, moved = rates_of(self.lr, self.head_lr, grads, loss), dict[str, Tensor]()
        for (name, value), own in zip(fast.items(), written, strict=True):
            part = "head" if name.startswith("head.") else "body"
            rate = rates.of(name) * meta[RATE + part]
            moved[name] = value - rate * grads[name] - self.scale * meta[SCALE + part] * own.view_as(value)
        return moved, {"h": h, "c": c}


def preprocessed(z: Tensor) -> Tensor:  # [...] -> [..., 2]
    """Return size and sign: (log|z|/p, ±1), and (−1, eᵖ z) where |z| is below e⁻ᵖ."""
    size = z.abs().clamp(min=math.exp(-SMALLEST)).log() / SMALLEST
    return torch.stack([size, (math.exp(SMALLEST) * z).clamp(-1, 1)], -1)


def lstm_step(meta: Params, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:  # [N, 4], [N, H] twice
    """Return the next (h, c): c ← σ(f)·c + σ(i)·tanh(g), h ← σ(o)·tanh(c), gates in the order i, f, g, o."""
    weights = [meta[LSTM + part].to(h) for part in ("input", "hidden", "bias")]
    i, f, g, o = (x @ weights[0].T + h @ weights[1].T + weights[2]).chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def _uniform(rows: int, columns: int, rng: torch.Generator, size: int) -> Tensor:
    return (2 * torch.rand(rows, columns, generator=rng) - 1) / math.sqrt(size)
