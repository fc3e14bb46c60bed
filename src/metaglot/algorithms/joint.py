"""Joint (multi-task) training: one body, a head for each data set, the plain supervised gradient.

    min over θ and all W_d of  Σ_d L(W_d · f_θ(x), y)

The softmax is over all classes of data set d, those that the episode did not draw too.  It never adapts while it
trains; a new task is fine-tuned from a prototype head.  In the cross-task comparison of Ye et al. 2021
(https://arxiv.org/abs/2104.08835) it was as good as the meta-learners, so it is a baseline everywhere.  Multi-task
BERT: Liu et al. 2019, https://arxiv.org/abs/1901.11504.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.choices import OBJECTIVES
from metaglot.errors import MetaglotError
from metaglot.families.batches import concatenate
from metaglot.families.head_sizes import specs_of_sets
from metaglot.inner import Adam, first_order, gradients, leaves_of
from metaglot.models.heads import Head, Prototypes, shared_layer, zero_layer
from metaglot.models.rows import touched
from metaglot.models.scopes import All
from metaglot.seeds import fold
from metaglot.types import Batch, Budget, Episode, Fast, HeadSpec, Learner, MetaGrad, Params, Problem, Record, TaskInfo


def fine_tuning(
    *, lr: float = 5e-5, head_lr: float = 1e-2, steps: int = 20, head: Head = Prototypes(), dropout: bool = True
) -> GradientBased:
    """Return plain fine-tuning of everything from a prototype head, by Adam."""
    rule = Adam(lr=lr, head_lr=head_lr)
    return GradientBased(All(), head=head, rule=rule, steps=steps, estimator=first_order, dropout=dropout)


@dataclass(frozen=True)
class Joint:
    """Multi-task training over every data set, or over exactly one (transfer)."""

    scale: float = 10.0  # of the scores: features have length one
    single_source: bool = False
    dropout: bool = True
    fine_tune: GradientBased = field(default_factory=fine_tuning)

    @property
    def second_order(self) -> bool:
        """Whether inner gradients are differentiated: never."""
        return False

    @property
    def together(self) -> bool:
        """Whether it wants all episodes of a step in one call: one after the other is as good."""
        return False

    def init(self, learner: Learner, task_infos: Sequence[TaskInfo], *, seed: int) -> Params:
        """Return the body, a zero head for each data set whose tasks share none, and what fine-tuning needs."""
        specs = specs_of_sets(task_infos, learner.hidden_size)
        sets = sorted({info.dataset for info in task_infos if info.family not in OBJECTIVES})
        if self.single_source and len(sets) != 1:
            raise MetaglotError(
                f"transfer trains on exactly one source, got {len(sets)} ({', '.join(sets)}); "
                "name one under data.train, or use the algorithm joint"
            )
        start = dict(self.fine_tune.init(learner, task_infos, seed=seed))
        return start | set_heads(specs, start)

    def adapt(self, problem: Problem, meta: Params, support: Batch, *, seed: int, budget: Budget | None = None) -> Fast:
        """Return the fine-tuned body and head."""
        return self.fine_tune.adapt(problem, meta, support, seed=seed, budget=budget)

    def meta_grad(
        self, problems: Sequence[Problem], meta: Params, episodes: Sequence[Episode], *, step: int, seed: int
    ) -> MetaGrad:
        """Return the gradient of the mean over the episodes of the loss on all their examples."""
        total = {name: torch.zeros_like(value) for name, value in meta.items()}
        records: list[dict[str, float | int | str]] = []
        for i, (problem, episode) in enumerate(zip(problems, episodes, strict=True)):
            small = touched(problem, meta, episode)
            leaves = leaves_of(small.meta)
            batch = concatenate(small.episode.support, small.episode.query)
            dropout_seed = fold(seed, "episode", step, i) if self.dropout else None
            head = {} if problem.over_vocabulary else self._head(leaves, problem)
            batch = batch if problem.over_vocabulary else problem.objective.of_data_set(batch, problem.task)
            logits = problem.logits({**leaves, **head}, batch, seed=dropout_seed)
            grads = gradients(problem.objective.loss(logits, batch), leaves)
            small.add(total, grads, share=1 / len(episodes))
            metrics = problem.objective.metrics(logits.detach(), batch)
            records.append({"task": problem.task.name, "ways": len(problem.task.labels), **metrics})
        return MetaGrad(total, tuple(records))

    def loss_in(self, record: Record) -> float:
        """Return the loss that a gradient was of, from its record."""
        return float(record["loss"])

    def _head(self, meta: Params, problem: Problem) -> dict[str, Tensor]:
        if (shared := shared_layer(problem.head_spec, meta)) is not None:
            return shared
        dataset = problem.task.dataset
        return {f"head.{name}": self.scale * meta[f"heads.{dataset}.{name}"] for name in ("weight", "bias")}


def set_heads(specs: Mapping[str, HeadSpec], like: Params) -> dict[str, Tensor]:
    """Return a zero head for each data set: `heads.<data set>.weight` [C, D] and `.bias` [C]."""
    heads: dict[str, Tensor] = {}
    for dataset, spec in sorted(specs.items()):
        layer = zero_layer(spec, like)
        heads |= {f"heads.{dataset}.{name}": layer[f"head.{name}"] for name in ("weight", "bias")}
    return heads
