"""The four choices (scope, head, rule, estimator) put together; named algorithms fix them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from metaglot.errors import MetaglotError
from metaglot.inner import Estimator, Inner, InnerLoop, Rule, reptile, unrolled
from metaglot.models.heads import Head, Zeros
from metaglot.models.learner import float_parameters
from metaglot.models.scopes import HeadOnly, Scope
from metaglot.seeds import fold
from metaglot.types import Batch, Budget, Episode, Fast, Learner, MetaGrad, Params, Problem, TaskInfo


@dataclass(frozen=True)
class GradientBased:
    """A meta-learner that starts a head from the support set and takes `steps` of a rule within a scope."""

    scope: Scope
    head: Head
    rule: Rule
    steps: int
    estimator: Estimator
    dropout: bool = True  # in meta-training and in gradient steps of adaptation

    @property
    def second_order(self) -> bool:
        """Whether inner gradients through the body are differentiated, which fused attention cannot do."""
        return self.estimator is unrolled and self.steps > 0 and not isinstance(self.scope, HeadOnly)

    @property
    def inner(self) -> Inner:
        """What an estimator differentiates."""
        return Inner(self.scope, self.head, InnerLoop(self.rule, self.steps))

    def init(self, learner: Learner, task_infos: Sequence[TaskInfo], *, seed: int) -> Params:
        """Return the body and what scope and head need; raise MetaglotError for a combination refused."""
        del task_infos
        reason = why_not(self.scope, self.head, self.estimator, self.steps)
        if reason:
            raise MetaglotError(reason)
        body = float_parameters(learner.body())
        return {**body, **self.scope.init(body, seed=seed), **self.head.init()}

    def adapt(self, problem: Problem, meta: Params, support: Batch, *, seed: int, budget: Budget | None = None) -> Fast:
        """Return the adapted head and the scope's moved parameters; no graph is kept."""
        budget = budget or Budget()
        steps = self.steps if budget.steps is None else budget.steps
        loop = replace(self.inner.loop, steps=steps, batch_size=budget.batch_size, order=seed)
        with torch.no_grad():
            start = self.inner.start(problem, meta, support, seed=None)
        if steps == 0:
            return Fast({name: value for name, value in start.items() if name not in meta}, {}, ())
        dropout_seed = seed if self.dropout else None
        fast = loop.run(problem, meta, start, support, seed=dropout_seed, create_graph=False)
        return fast._replace(params={name: value.detach() for name, value in fast.params.items()})

    def meta_grad(
        self, problems: Sequence[Problem], meta: Params, episodes: Sequence[Episode], *, step: int, seed: int
    ) -> MetaGrad:
        """Return the mean of the episodes' meta-gradients by the chosen estimator."""
        total = {name: torch.zeros_like(value) for name, value in meta.items()}
        records = []
        for i, (problem, episode) in enumerate(zip(problems, episodes, strict=True)):
            episode_seed = fold(seed, "episode", step, i) if self.dropout else None
            grads, record = self.estimator(self.inner, problem, meta, episode, episode_seed)
            for name, grad in grads.items():
                total[name].add_(grad, alpha=1 / len(episodes))
            records.append(record)
        return MetaGrad(total, tuple(records))


def why_not(scope: Scope, head: Head, estimator: Estimator, steps: int) -> str | None:
    """Return the reason why a combination makes no sense, or None."""
    if steps < 0:
        return f"the inner loop cannot take {steps} steps; use 0 or more"
    if steps == 0 and isinstance(head, Zeros):
        return "no inner step and a head of zeros learn nothing from the support set; use head=prototypes or steps ≥ 1"
    if estimator is reptile and (steps == 0 or isinstance(scope, HeadOnly)):
        return "Reptile moves the start to where the inner loop went: it needs steps ≥ 1 and a scope beyond the head"
    return None
