"""State: all that a resume needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from metaglot.errors import MetaglotError
from metaglot.models.scopes import body_of, match_names
from metaglot.models.sharded import Sharded
from metaglot.types import Algorithm, Learner, Params, Snapshot, TaskInfo


@dataclass(frozen=True)
class State:
    """A training run between two steps. Its tensors are updated in place by the next step: save before going on."""

    step: int  # outer steps done
    params: Params  # meta-parameters
    moments: Params = field(default_factory=dict)  # optimiser state, `<kind>.<parameter>`
    snapshot: Snapshot = field(default_factory=dict)  # what the sampler has learnt
    combine: Params = field(default_factory=dict)  # state of how gradients of several tasks are combined
    goal: Mapping[str, float] = field(default_factory=dict)  # the last validation
    seed: int = 0
    cpu_seconds: float = 0.0  # of the run so far: loading, steps and validation
    pending: tuple[int, ...] = ()  # gradients that were asked for and no step has used (`asynchronous.py`)


def initial_state(
    algorithm: Algorithm, learner: Learner, tasks: Sequence[TaskInfo], *, seed: int, freeze: Sequence[str] = ()
) -> State:
    """Return the state before the first step; parameters of the body that match `freeze` are left out of it.

    Raises MetaglotError for a pattern that matches nothing, and where nothing is left to learn.
    """
    meta = algorithm.init(learner, tasks, seed=seed)
    try:
        frozen = set(match_names(body_of(meta), freeze))
    except MetaglotError as error:
        raise MetaglotError(f"training.freeze: {error}") from error
    parts = learner.parts if isinstance(learner, Sharded) else {}
    kept = {n: parts[n] if n in parts else value.clone() for n, value in meta.items() if n not in frozen}
    if not kept:
        raise MetaglotError(
            f"training.freeze: {', '.join(freeze)} leaves nothing to meta-learn, since the algorithm has no "
            "parameters of its own; freeze less of the body"
        )
    return State(step=0, params=kept, seed=seed)


def with_heads(state: State, heads: Params) -> State:
    """Return the state in which the heads that tasks share begin as in `heads`, where it has them in the same shape."""
    there = {n: heads[n].clone() for n, value in state.params.items() if n in heads and heads[n].shape == value.shape}
    return replace(state, params={**state.params, **there})
