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
    if reason := unable(head, able, problem.head_spec.targets):
        raise MetaglotError(f"{problem.task.name}: {reason}")


def unable(head: str, able: tuple[Targets, ...], targets: Targets) -> str | None:
    """Return the reason why a head, which is made for targets of some kinds, is none for these; None if it is."""
    if targets in able:
        return None
    return (
        f"a head of {head} is for {' or '.join(able)}, and the targets of this task are {targets}; use an algorithm "
        "whose head is of prototypes, ridge or zeros"
    )
