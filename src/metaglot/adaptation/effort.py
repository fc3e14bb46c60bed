"""Efforts: how much work an adaptation does, from closed form to a thorough fine-tune."""

from dataclasses import dataclass, replace
from typing import Literal

from metaglot.algorithms import GradientBased
from metaglot.errors import MetaglotError
from metaglot.inner import Adam, first_order
from metaglot.models import All, HeadOnly, Named, Prototypes, Scope
from metaglot.types import Budget, Params

EffortName = Literal["instant", "fast", "thorough"]


@dataclass(frozen=True)
class Effort:
    """Gradient steps from a prototype head: how many, how large, on what."""

    steps: int
    lr: float = 0.0
    head_lr: float = 0.0
    batch_size: int = 16
    freeze: tuple[str, ...] = ()  # patterns of the body that stay

    def budget(self) -> Budget:
        """Return the steps and batch size."""
        return Budget(steps=self.steps, batch_size=self.batch_size)

    def strategy(self, body: Params, metric: str = "cosine") -> GradientBased:
        """Return the adaptation as an algorithm over the parameters in `body`."""
        rule = Adam(lr=self.lr, head_lr=self.head_lr)
        head = Prototypes(metric="euclidean" if metric == "euclidean" else "cosine")
        return GradientBased(self._scope(body), head, rule, steps=self.steps, estimator=first_order)

    def _scope(self, body: Params) -> Scope:
        if self.steps == 0:
            return HeadOnly()
        moved = tuple(name for name in body if not any(part in name for part in self.freeze))
        return Named(moved) if self.freeze and moved else All()


EFFORTS: dict[str, Effort] = {
    "instant": Effort(steps=0),
    "fast": Effort(steps=8, lr=5e-5, head_lr=5e-3, freeze=("embeddings",)),
    "thorough": Effort(steps=60, lr=5e-5, head_lr=5e-3, freeze=("embeddings",)),
}


def effort_called(name: str) -> Effort:
    """Return the effort of that name; raise MetaglotError for another."""
    if name not in EFFORTS:
        raise MetaglotError(f"unknown effort {name!r}; choose from {', '.join(EFFORTS)}")
    return EFFORTS[name]


def longer(effort: Effort, times: int) -> Effort:
    """Return the effort with so many times the steps."""
    return replace(effort, steps=effort.steps * times)
