"""Hybrid: one gradient step from tasks and from the plain objective of a language model together.

    g = 1/n (Σ_{episodes with a support set} g_algorithm + Σ_{episodes without} w ∇L(θ; query))

The weights w have mean 1 and are in proportion to the tokens judged, so that the episodes without a support set are
parts of one batch of text, whose loss is the mean over its judged tokens.

Which episodes come is the task distribution's affair (`tasks/mixture.py`).  The plain objective beside the tasks that
are made from text: Bansal et al. 2020, https://arxiv.org/abs/2009.08445.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from metaglot.errors import MetaglotError
from metaglot.inner import gradients, leaves_of
from metaglot.seeds import fold
from metaglot.tasks.weights import episode_weights
from metaglot.types import Algorithm, Batch, Budget, Episode, Fast, Learner, MetaGrad, Params, Problem, Record, TaskInfo


@dataclass(frozen=True)
class Hybrid:
    """An algorithm for the episodes with a support set; the plain gradient for those without."""

    tasks: Algorithm
    dropout: bool = True  # in the plain gradient

    @property
    def together(self) -> bool:
        """Whether it wants all episodes of a step in one call: where its algorithm does."""
        return self.tasks.together

    def init(self, learner: Learner, task_infos: Sequence[TaskInfo], *, seed: int) -> Params:
        """Return what the algorithm starts from, the language-model head among it."""
        return self.tasks.init(learner, task_infos, seed=seed)

    def adapt(self, problem: Problem, meta: Params, support: Batch, *, seed: int, budget: Budget | None = None) -> Fast:
        """Return what the algorithm makes of the support set; of none, nothing changes."""
        if not support:
            return Fast({}, {}, ())
        return self.tasks.adapt(problem, meta, support, seed=seed, budget=budget)

    def meta_grad(
        self, problems: Sequence[Problem], meta: Params, episodes: Sequence[Episode], *, step: int, seed: int
    ) -> MetaGrad:
        """Return the mean over the episodes; each record says its `family`, and `plain` where it had no support set."""
        total = {name: torch.zeros_like(value) for name, value in meta.items()}
        records: list[Record | None] = [None] * len(episodes)
        taught = [i for i, episode in enumerate(episodes) if episode.support]
        if taught:
            chosen = [problems[i] for i in taught], [episodes[i] for i in taught]
            of_tasks = self.tasks.meta_grad(chosen[0], meta, chosen[1], step=step, seed=seed)
            _add(total, of_tasks.grads, share=len(taught) / len(episodes))
            for i, record in zip(taught, of_tasks.records, strict=True):
                records[i] = {**record, "family": episodes[i].objective.name}
        weights = episode_weights(episodes)
        for i, (problem, episode) in enumerate(zip(problems, episodes, strict=True)):
            if i in taught:
                continue
            own = fold(seed, "plain", step, i) if self.dropout else None
            grads, records[i] = plain_gradient(problem, meta, episode.query, seed=own)
            _add(total, grads, share=weights[i] / len(episodes))
        return MetaGrad(total, tuple(record for record in records if record is not None))


def plain_gradient(problem: Problem, meta: Params, batch: Batch, *, seed: int | None) -> tuple[Params, Record]:
    """Return ∇L(θ; batch) for each meta-parameter, and a record of the family's metrics.

    Raises MetaglotError for a task that needs a head of its own, which there is no support set to make from.
    """
    if not problem.headless:
        raise MetaglotError(f"{problem.task.name}: an episode without a support set, and no language modelling")
    leaves = leaves_of(meta)
    logits = problem.logits(leaves, batch, seed=seed)
    grads = gradients(problem.objective.loss(logits, batch), leaves)
    metrics = problem.objective.metrics(logits.detach(), batch)
    return grads, {"task": problem.task.name, "family": problem.objective.name, "plain": 1, **metrics}


def _add(total: Params, grads: Params, *, share: float) -> None:
    for name, grad in grads.items():
        total[name].add_(grad, alpha=share)
