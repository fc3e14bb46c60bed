"""The interface of heads; each head is a file of its own beside this one."""

from typing import Protocol

from metaglot.types import Batch, Params, Problem

OWN = "algorithm.head."


class Head(Protocol):
    """Begins a task's output layer."""

    def init(self, width: int, *, seed: int) -> Params:
        """Return the meta-parameters that the head needs (names `algorithm.head.*`), for features [B, width]."""
        ...

    def start(self, problem: Problem, meta: Params, support: Batch, *, seed: int | None = None) -> Params:
        """Return `head.*` for the task; differentiable in `meta`."""
        ...
