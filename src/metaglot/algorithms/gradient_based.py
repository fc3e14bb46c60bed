"""The four choices (scope, head, rule, estimator) put together; named algorithms fix them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from metaglot.algorithms.why_not import cannot_share, cannot_step, why_not
from metaglot.errors import MetaglotError
from metaglot.families.head_sizes import shared_specs, widths_of
from metaglot.families.language import of_language
from metaglot.inner import Estimator, Inner, InnerLoop, Rule, first_order
from metaglot.models.heads import Head, OwnHead, SharedHead, resolved, shared_layers
from metaglot.models.heads.own import cannot_read
from metaglot.models.rows import of_task, touched
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
    weights: tuple[float, ...] | None = None  # of the query loss after each step; only after the last if None
    annealed: int = 0  # episodes over which the weights go to the last step alone (MAML++); 0: they stay
    warm_up: int = 0  # episodes with the first-order gradient before the estimator's own (MAML++)
    proximal: float = 0.0  # λ of the pull towards the start (iMAML)
    batch_size: int | None = None  # examples a step of meta-training; all of them if None
    chunk: int | None = None  # support examples a pass; the gradient of a step is summed over passes
    stream: bool = False  # the support set is a stream: a step meets the next part of it, and never those before
    precise: bool | None = None  # the query loss in fp32 beside a bf16 inner loop; where gradients are second order

    @property
    def second_order(self) -> bool:
        """Whether inner gradients through the body are differentiated, which fused attention cannot do."""
        return self.estimator.second_order and self.steps > 0 and not isinstance(self.scope, HeadOnly)

    @property
    def together(self) -> bool:
        """Whether it wants all episodes of a step in one call: one after the other is as good."""
        return False

    @property
    def inner(self) -> Inner:
        """What an estimator differentiates."""
        loop = InnerLoop(self.rule, self.steps, self.batch_size, self.chunk, self.proximal, self.stream)
        # Where the inner loop is expensive, a query pass in fp32 costs a few per cent and halves the error of bf16.
        precise = self.second_order if self.precise is None else self.precise
        return Inner(self.scope, self.head, loop, precise=precise)

    def inner_of(self, problem: Problem) -> Inner:
        """Return what an estimator differentiates on a problem.

        Over the vocabulary its head is the learner's own; where tasks share a head, it begins from that.
        """
        if problem.over_vocabulary:
            return self.inner._replace(head=self._own_head)
        return self.inner._replace(head=SharedHead(self.head)) if problem.head_spec.shared else self.inner

    @property
    def _own_head(self) -> OwnHead:
        return OwnHead(moves=isinstance(self.scope, HeadOnly))

    def init(self, learner: Learner, task_infos: Sequence[TaskInfo], *, seed: int) -> Params:
        """Return the body and what scope, head and rule need; raise MetaglotError for a combination refused.

        Where any of the tasks is language modelling, the learner's own head `lm.*` is among it.
        """
        reason = why_not(self)
        if reason:
            raise MetaglotError(reason)
        body = {name: value for name, value in learner.body().items() if value.is_floating_point()}
        own = learner.language_head() if of_language(task_infos) else {}
        start = {**body, **own, **self.scope.init(body, seed=seed)}
        alone = learner.scoring(start) if of_language(task_infos) and self._own_head.moves else {}
        moving = {**self.scope.start(start), **alone}
        found = [self._of_width(width, moving, seed) for width in widths_of(task_infos, learner.hidden_size)]
        if any(one[name].shape != value.shape for one in found[1:] for name, value in found[0].items()):
            kinds = ", ".join(sorted({info.family for info in task_infos}))
            raise MetaglotError(
                f"the algorithm learns parameters as wide as a head, and tasks of {kinds} have heads of unlike widths; "
                "train the kinds apart, or use an algorithm such as protonet or fomaml"
            )
        shared = shared_specs(task_infos, learner.hidden_size)
        if shared and (reason := cannot_share(self)):
            raise MetaglotError(f"{', '.join(shared)}: {reason}")
        return start | found[0] | shared_layers(shared, body)

    def _of_width(self, width: int, moving: Params, seed: int) -> dict[str, Tensor]:
        """Return what head and rule learn where features have this width."""
        head = self.head.init(width, seed=fold(seed, "head"))
        no_classes = {"head.weight": torch.empty(0, width), "head.bias": torch.empty(0)}
        return {**head, **self.rule.learnt({**moving, **no_classes}, steps=self.steps, seed=fold(seed, "rule"))}

    def adapt(self, problem: Problem, meta: Params, support: Batch, *, seed: int, budget: Budget | None = None) -> Fast:
        """Return the adapted head and the scope's moved parameters; no graph is kept.

        Raises MetaglotError for steps that the head cannot take.
        """
        budget = budget or Budget()
        steps = self.steps if budget.steps is None else budget.steps
        meta, inner = of_task(problem, meta), self.inner_of(problem)
        if reason := cannot_step(inner.head, steps):
            raise MetaglotError(reason)
        loop = replace(inner.loop, steps=steps, batch_size=budget.batch_size, order=seed)
        with torch.no_grad():
            inner = inner._replace(loop=loop)
            support = inner.support(problem, meta, support, seed=None)
            start = inner.start(problem, meta, support, seed=None)
        if steps == 0:
            changed = {name: value for name, value in start.items() if name not in meta}
            return Fast(resolved(changed, meta), {}, ())
        dropout_seed = seed if self.dropout else None
        fast = loop.run(problem, meta, start, support, seed=dropout_seed, create_graph=False)
        return fast._replace(params=resolved(fast.params, meta))

    def meta_grad(
        self, problems: Sequence[Problem], meta: Params, episodes: Sequence[Episode], *, step: int, seed: int
    ) -> MetaGrad:
        """Return the mean of the episodes' meta-gradients by the chosen estimator; `step` counts episodes."""
        total = {name: torch.zeros_like(value) for name, value in meta.items()}
        estimator = first_order if step < self.warm_up else self.estimator
        weights = self._weights_at(step)
        records = []
        for i, (problem, episode) in enumerate(zip(problems, episodes, strict=True)):
            episode_seed = fold(seed, "episode", step, i) if self.dropout else None
            small = touched(problem, meta, episode)
            if reason := cannot_read(problem, self.steps):
                raise MetaglotError(reason)
            inner = self.inner_of(problem)._replace(weights=weights)
            if self.batch_size is not None:
                inner = inner._replace(loop=replace(inner.loop, order=fold(seed, "order", step, i)))
            grads, record = estimator(inner, problem, small.meta, small.episode, episode_seed)
            small.add(total, grads, share=1 / len(episodes))
            del grads  # else it stands while the next one is found
            records.append(record)
        return MetaGrad(total, tuple(records))

    def _weights_at(self, step: int) -> tuple[float, ...] | None:
        """Return the weights of the query losses for an episode, moved linearly towards the last step."""
        if self.weights is None or self.annealed == 0:
            return self.weights
        done = min(1.0, step / self.annealed)
        last = (*(0.0 for _ in self.weights[1:]), 1.0)
        return tuple((1 - done) * first + done * end for first, end in zip(self.weights, last, strict=True))
