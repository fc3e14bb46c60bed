"""Sequential Reptile: one inner loop through the tasks of a meta-batch in turn, and the way back from its end.

    φ_0 = θ,  φ_{k+1} = φ_k − lr ∇L(φ_k; task k mod n),  θ ← θ + ε(φ_K − θ)

Each step starts where another task's step ended, so that what the way shares is where the gradients of the tasks agree
(the paper: it maximises their cosine), where Reptile's own loops, one a task, only average.  Each task has a head of
its own, which moves at its own steps and is dropped; where tasks share a head (`HeadSpec.shared`), it goes through all
of them like the body.  The tasks come in the order they were drawn, round by round.

Lee et al. 2021, https://arxiv.org/abs/2110.02600
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.algorithms.reptile import reptile
from metaglot.families.batches import concatenate
from metaglot.inner import gradients
from metaglot.inner.rule import clip_to_norm
from metaglot.models import All, Head, Prototypes, Scope
from metaglot.models.heads.shared import shared_layer, way_back
from metaglot.models.scopes import OWN
from metaglot.seeds import fold
from metaglot.types import Batch, Budget, Episode, Fast, Learner, MetaGrad, Params, Problem, Record, RuleState, TaskInfo


class Loop(NamedTuple):
    """Where the joint inner loop stands."""

    shared: Params  # what the scope moves
    heads: tuple[Params, ...]  # head.* of each task, or of the first of those that share it
    state: RuleState  # of what is shared
    states: tuple[RuleState, ...]  # of each head
    losses: tuple[float, ...] = ()  # nats, of each step


@dataclass(frozen=True)
class SequentialReptile:
    """Reptile whose inner loop takes `alone.steps` rounds through all tasks of the meta-batch."""

    alone: GradientBased  # Reptile of one task: its choices, and how a new task is adapted

    @property
    def second_order(self) -> bool:
        """Whether inner gradients are differentiated: never."""
        return False

    @property
    def together(self) -> bool:
        """Whether it wants all episodes of a step in one call: it does."""
        return True

    def init(self, learner: Learner, task_infos: Sequence[TaskInfo], *, seed: int) -> Params:
        """Return what Reptile starts from."""
        return self.alone.init(learner, task_infos, seed=seed)

    def adapt(self, problem: Problem, meta: Params, support: Batch, *, seed: int, budget: Budget | None = None) -> Fast:
        """Return what the inner loop makes of one task."""
        return self.alone.adapt(problem, meta, support, seed=seed, budget=budget)

    def meta_grad(
        self, problems: Sequence[Problem], meta: Params, episodes: Sequence[Episode], *, step: int, seed: int
    ) -> MetaGrad:
        """Return θ − φ after all rounds, zeros for what did not move."""
        seeds = [fold(seed, "episode", step, i) if self.alone.dropout else None for i in range(len(episodes))]
        with torch.no_grad():
            start = self._start(problems, meta, episodes, seeds)
        batches = [concatenate(episode.support, episode.query) for episode in episodes]
        loop, owners = start, _owners(problems, meta)
        for turn in range(self.alone.steps):
            for task, (problem, batch) in enumerate(zip(problems, batches, strict=True)):
                own = owners[task]
                number = turn * owners.count(own) + owners[:task].count(own)  # of the steps of this head
                loop = self._step(problem, meta, batch, loop, own, number, seed=_at(seeds[task], turn))
        grads = {name: torch.zeros_like(value) for name, value in meta.items()}
        for name, value in start.shared.items():
            grads[name if name in grads else OWN + name] = value - loop.shared[name]
        for own in set(owners):
            grads |= way_back(problems[own].head_spec, meta, start.heads[own], loop.heads[own])
        records = [
            _record(problem, {**meta, **loop.shared, **loop.heads[owners[i]]}, episodes[i], loop.losses[i])
            for i, problem in enumerate(problems)
        ]
        return MetaGrad(grads, tuple(records))

    def _start(
        self, problems: Sequence[Problem], meta: Params, episodes: Sequence[Episode], seeds: Sequence[int | None]
    ) -> Loop:
        shared = {name: value.clone() for name, value in self.alone.scope.start(meta).items()}
        heads = tuple(
            dict(
                self.alone.inner_of(problem).head.start(
                    problem, {**meta, **shared}, episode.support, seed=_of_head(seed)
                )
            )
            for problem, episode, seed in zip(problems, episodes, seeds, strict=True)
        )
        rule = self.alone.rule
        return Loop(shared, heads, rule.init(meta, shared), tuple(rule.init(meta, head) for head in heads))

    def _step(
        self, problem: Problem, meta: Params, batch: Batch, loop: Loop, task: int, number: int, *, seed: int | None
    ) -> Loop:
        """Return the loop after a step on a task: of what is shared, and step `number` of its head."""
        shared, own = (
            {name: value.detach().clone().requires_grad_() for name, value in part.items()}
            for part in (loop.shared, loop.heads[task])
        )
        loss = problem.loss({**meta, **shared, **own}, batch, seed=seed)
        grads = gradients(loss, {**shared, **own})
        limit = getattr(self.alone.rule, "clip", None)
        grads = grads if limit is None else clip_to_norm(grads, limit)  # all of a step together, as in Reptile
        with torch.no_grad():
            moved, state = self._moved(meta, shared, grads, loss, loop.state, len(loop.losses))
            head, head_state = self._moved(meta, own, grads, loss, loop.states[task], number)
        return Loop(
            moved,
            _with(loop.heads, task, head),
            state,
            _with(loop.states, task, head_state),
            (*loop.losses, float(loss.detach())),
        )

    def _moved(
        self, meta: Params, params: Params, grads: Params, loss: Tensor, state: RuleState, step: int
    ) -> tuple[Params, RuleState]:
        if not params:
            return params, state
        moved, after = self.alone.rule.update(meta, params, {n: grads[n] for n in params}, loss, state, step)
        return {name: value.detach() for name, value in moved.items()}, after


def sequential_reptile(
    *,
    lr: float | None = None,
    head_lr: float | None = None,
    steps: int = 5,
    head: Head = Prototypes(),
    scope: Scope = All(),
    adam: bool = False,
    dropout: bool = True,
) -> SequentialReptile:
    """Return Sequential Reptile; `steps` counts the rounds through the meta-batch, and the steps on a new task."""
    return SequentialReptile(
        reptile(lr=lr, head_lr=head_lr, steps=steps, head=head, scope=scope, adam=adam, dropout=dropout)
    )


def _owners(problems: Sequence[Problem], meta: Params) -> list[int]:
    """Return for each task the first of those that have the same head: itself, where tasks share none."""
    first: dict[str | int, int] = {}
    shared = [shared_layer(problem.head_spec, meta) is not None for problem in problems]
    keys = [problem.head_spec.shared if of else i for i, (problem, of) in enumerate(zip(problems, shared, strict=True))]
    return [first.setdefault(key, i) for i, key in enumerate(keys)]


def _record(problem: Problem, at: Params, episode: Episode, support_loss: float) -> Record:
    with torch.no_grad():
        metrics = problem.objective.metrics(problem.logits(at, episode.query), episode.query)
    return {"task": problem.task.name, "ways": len(problem.task.labels), "support_loss": support_loss, **metrics}


def _with(values: tuple[Params, ...], number: int, value: Params) -> tuple[Params, ...]:
    """Return the values with one of them replaced."""
    return (*values[:number], value, *values[number + 1 :])


def _at(seed: int | None, turn: int) -> int | None:
    return None if seed is None else fold(seed, "inner", turn)


def _of_head(seed: int | None) -> int | None:
    return None if seed is None else fold(seed, "head")
