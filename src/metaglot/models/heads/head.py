"""The interface of heads; each head is a file of its own beside this one."""

from typing import Protocol

from metaglot.errors import MetaglotError
from metaglot.types import Batch, Params, Problem, Targets

OWN = "algorithm.head."


class Head(Protocol):
    """Begins a task's output layer."""

    def init(self, width: int, *, seed: int) -> Params:
        """Return the meta-parameters that the head needs (names `algorithm.head.*`), for features [B, width]."""
        ...

    def start(self, problem: Problem, meta: Params, support: Batch, *, seed: int | None = None) -> Params:
        """Return `head.*` for the task; differentiable in `meta`."""
        ...


def check_targets(problem: Problem, head: str, able: tuple[Targets, ...]) -> None:
    """Raise MetaglotError where a head cannot be made for what the units of a task are mapped to."""
    targets = problem.head_spec.targets
    if targets not in able:
        raise MetaglotError(
            f"{problem.task.name}: a head of {head} is for {' or '.join(able)}, and the targets of this task are "
            f"{targets}; use an algorithm whose head is of prototypes, ridge or zeros"
        )
