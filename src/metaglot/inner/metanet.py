"""A meta-network that writes LoRA weights: it reads the support gradient G [m, r] at each B row by row.

    one layer   B ← B − lr·α·G Wᵀ
    N layers    B ← B − lr·α·(G + ρ·net(G/ρ, B, log ρ)),  ρ² = mean(G²),  net of N layers with GELU between

One network is shared by all rows of all pairs, with a learnt α for each matrix; it begins as gradient descent (W the
identity, the last layer of net zero).  Where `write_a` is set, a second network reads and writes each A column by
column; else A takes a gradient step, as the head does, with learnt rates.  A loop of one step writes the weights at
once; a longer one reads the gradient where the last one left off.  Where the gradient is zero, nothing is written.

In MetaNet the network also reads single examples, and a memory mixes what it wrote for each; here the gradient of
the whole support set is how the task speaks.  Munkhdalai and Yu 2017, https://arxiv.org/abs/1703.00837
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from metaglot.errors import MetaglotError
from metaglot.inner.rates import rates_of
from metaglot.inner.rule import RATE, body_of, clip_to_norm, head_rates, learnt_rate
from metaglot.seeds import torch_generator
from metaglot.types import Params, RuleState

NET = "algorithm.rule.net."
FLOOR = 1e-8  # of ρ, where a gradient is zero


@dataclass(frozen=True)
class MetaNet:
    """A network of so many layers (`algorithm.rule.net.*`) that writes LoRA weights."""

    lr: float | None = 1.0  # Polyak's at each step if None (`inner/rates.py`)
    head_lr: float | None = None  # lr if None
    layers: int = 1
    hidden: int = 32  # width between layers
    write_a: bool = False
    clip: float | None = None  # joint norm of the inner gradient

    def learnt(self, moving: Params, *, steps: int, seed: int) -> Params:
        """Return the network and the rates; raise MetaglotError for less than one layer or nothing of LoRA."""
        del steps
        body = body_of(moving)
        rank = next((value.shape[1] for name, value in body.items() if _side(name) == "b"), 0)
        if self.layers < 1 or self.hidden < 1:
            raise MetaglotError(f"a meta-network needs layers and hidden ≥ 1, got {self.layers} and {self.hidden}")
        if rank == 0:
            raise MetaglotError("the meta-network writes LoRA weights, and nothing of LoRA moves; use a LoRA scope")
        params = {RATE + name: torch.ones(()) for name in body} | head_rates()
        for side in self._sides:
            params |= self._network(rank, side, torch_generator(seed, "net", side))
        return params

    @property
    def _sides(self) -> tuple[str, ...]:
        return ("b", "a") if self.write_a else ("b",)

    def _network(self, rank: int, side: str, rng: torch.Generator) -> dict[str, Tensor]:
        if self.layers == 1:
            return {f"{NET}{side}.0.weight": torch.eye(rank)}
        sizes = [2 * rank + 1, *[self.hidden] * (self.layers - 1)]
        params: dict[str, Tensor] = {}
        for i, (inputs, outputs) in enumerate(zip(sizes, [*sizes[1:], rank], strict=True)):
            noise = torch.randn(outputs, inputs, generator=rng) / math.sqrt(inputs)
            params[f"{NET}{side}.{i}.weight"] = noise if i < self.layers - 1 else torch.zeros(outputs, inputs)
            params[f"{NET}{side}.{i}.bias"] = torch.zeros(outputs)
        return params

    def init(self, meta: Params, fast: Params) -> RuleState:
        """Return nothing: it has no state."""
        del meta, fast
        return {}

    def update(
        self, meta: Params, fast: Params, grads: Params, loss: Tensor, state: RuleState, step: int
    ) -> tuple[Params, RuleState]:
        """Return the weights that the network writes."""
        del step
        grads = clip_to_norm(grads, self.clip) if self.clip is not None else grads
        rates, moved = rates_of(self.lr, self.head_lr, grads, loss), dict[str, Tensor]()
        for name, value in fast.items():
            side, way = _side(name), grads[name]
            if side in self._sides:
                way = self._way(meta, side, way, value) if side == "b" else self._way(meta, side, way.T, value.T).T
            moved[name] = value - rates.of(name) * learnt_rate(meta, name) * way
        return moved, state

    def _way(self, meta: Params, side: str, grad: Tensor, value: Tensor) -> Tensor:  # [rows, r] twice -> [rows, r]
        """Return the way of each row."""
        weights = [meta[f"{NET}{side}.{i}.weight"].to(grad) for i in range(self.layers)]
        if self.layers == 1:
            return grad @ weights[0].T
        size = (grad.pow(2).mean() + FLOOR**2).sqrt()
        x = torch.cat([grad / size, value, size.log().expand(len(grad), 1)], 1)
        for i, weight in enumerate(weights):
            x = torch.nn.functional.gelu(x) if i else x
            x = x @ weight.T + meta[f"{NET}{side}.{i}.bias"].to(x)
        return grad + size * x


def _side(name: str) -> str:
    """Return `a` or `b` for a half of a LoRA pair, nothing for other names."""
    return name.rsplit(".", 1)[1] if name.startswith("lora.") else ""
