"""A meta-learner, with what it takes and returns."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from metaglot.types.episode import Episode
from metaglot.types.learner import Learner
from metaglot.types.problem import Problem
from metaglot.types.values import Batch, Params, Record, RuleState, TaskInfo


class TraceStep(NamedTuple):
    """One step of an inner loop."""

    step: int
    loss: float  # nats, on the support set before the step


class Fast(NamedTuple):
    """What an inner loop made of a task: parameters that stand over the meta-parameters."""

    params: Params  # changed parameters and head.*
    rule_state: RuleState
    trace: tuple[TraceStep, ...]


class Budget(NamedTuple):
    """How much an adaptation may do; None means the algorithm's own default."""

    steps: int | None = None
    batch_size: int | None = None  # support examples a step, all if None


class MetaGrad(NamedTuple):
    """An estimate of the meta-gradient, whatever the method."""

    grads: Params  # by the names of the meta-parameters, zeros where unused
    records: tuple[Record, ...]


class Algorithm(Protocol):
    """A meta-learner as three functions."""

    @property
    def together(self) -> bool:
        """Whether it wants all episodes of a step in one call of `meta_grad`; else each comes alone, to save memory."""
        ...

    def init(self, learner: Learner, task_infos: Sequence[TaskInfo], *, seed: int) -> Params:
        """Return the meta-parameters to start from."""
        ...

    def adapt(self, problem: Problem, meta: Params, support: Batch, *, seed: int, budget: Budget | None = None) -> Fast:
        """Return what the support set makes of the meta-parameters; no graph is kept."""
        ...

    def meta_grad(
        self, problems: Sequence[Problem], meta: Params, episodes: Sequence[Episode], *, step: int, seed: int
    ) -> MetaGrad:
        """Return the meta-gradient: the mean over the episodes, in which each task counts the same."""
        ...
