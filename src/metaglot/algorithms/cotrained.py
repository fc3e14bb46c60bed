"""Co-training: prototypes in every episode, and beside them one classifier over all classes of the episode's data set.

    g = (1 − share) ∇L(prototypes of S; Q) + share ∇L(W_d; S ∪ Q),   softmax of the latter over all classes of set d

Both losses read the same features, so an episode costs one pass.  The episode asks for few classes at a time; the
classifier tells them from all others of the set, and learns from the support texts too.

Auxiliary co-training: Oreshkin et al. 2018 (TADAM), https://arxiv.org/abs/1805.10123
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.algorithms.joint import set_heads
from metaglot.algorithms.protonet import protonet
from metaglot.errors import MetaglotError
from metaglot.families.batches import concatenate
from metaglot.families.head_sizes import specs_of_sets
from metaglot.inner import gradients, leaves_of
from metaglot.models.rows import touched
from metaglot.seeds import fold
from metaglot.types import Batch, Budget, Episode, Fast, Learner, MetaGrad, Params, Problem, Record, TaskInfo


@dataclass(frozen=True)
class CoTrained:
    """An episodic learner without inner steps, and a persistent classifier of each data set beside it."""

    alone: GradientBased  # the episodic learner, and how a new task is adapted to
    share: float = 0.5  # of the classifiers in the loss
    scale: float = 10.0  # of the classifiers' scores: features have length one

    @property
    def second_order(self) -> bool:
        """Whether inner gradients are differentiated: never."""
        return False

    @property
    def together(self) -> bool:
        """Whether it wants all episodes of a step in one call: one after the other is as good."""
        return False

    def init(self, learner: Learner, task_infos: Sequence[TaskInfo], *, seed: int) -> Params:
        """Return what the episodic learner starts from, and a zero head for each data set."""
        if not 0 <= self.share < 1:
            raise MetaglotError(f"the share of the classifiers in the loss must be in [0, 1), got {self.share}")
        start = self.alone.init(learner, task_infos, seed=seed)
        return {**start, **set_heads(specs_of_sets(task_infos, learner.hidden_size), start)}

    def adapt(self, problem: Problem, meta: Params, support: Batch, *, seed: int, budget: Budget | None = None) -> Fast:
        """Return what the episodic learner makes of the support set."""
        return self.alone.adapt(problem, meta, support, seed=seed, budget=budget)

    def meta_grad(
        self, problems: Sequence[Problem], meta: Params, episodes: Sequence[Episode], *, step: int, seed: int
    ) -> MetaGrad:
        """Return the gradient of both losses, mean over the episodes; records have the `set_loss` too."""
        total = {name: torch.zeros_like(value) for name, value in meta.items()}
        records: list[Record] = []
        for i, (problem, episode) in enumerate(zip(problems, episodes, strict=True)):
            if problem.over_vocabulary:  # its classes are words: there is no other classifier than the learner's head
                part = self.alone.meta_grad([problem], meta, [episode], step=step + i, seed=seed)
                grads, record = part.grads, part.records[0]
                for name, grad in grads.items():
                    total[name].add_(grad, alpha=1 / len(episodes))
            else:
                small = touched(problem, meta, episode)
                dropout_seed = fold(seed, "episode", step, i) if self.alone.dropout else None
                grads, record = self._of(problem, small.meta, small.episode, dropout_seed)
                small.add(total, grads, share=1 / len(episodes))
            records.append(record)
        return MetaGrad(total, tuple(records))

    def loss_in(self, record: Record) -> float:
        """Return the loss that a gradient was of, from its record."""
        return (1 - self.share) * float(record["loss"]) + self.share * float(record["set_loss"])

    def _of(self, problem: Problem, meta: Params, episode: Episode, seed: int | None) -> tuple[Params, Record]:
        leaves = leaves_of(meta)
        support = problem.remembered(leaves, episode.support, seed=seed)
        query = problem.remembered(leaves, episode.query, seed=None if seed is None else fold(seed, "query"))
        head = self.alone.head.start(problem, leaves, support)
        logits = problem.logits({**leaves, **head}, query)
        loss = problem.objective.loss(logits, query)
        of_set = self._set_loss(problem, leaves, (support, query))
        grads = gradients((1 - self.share) * loss + self.share * of_set, leaves)
        metrics = problem.objective.metrics(logits.detach(), query)
        record = {"task": problem.task.name, "ways": len(problem.task.labels), "set_loss": float(of_set.detach())}
        return grads, {**record, **metrics}

    def _set_loss(self, problem: Problem, meta: Params, parts: tuple[Batch, Batch]) -> Tensor:  # nats
        """Return the mean loss of the classifier over all classes of the data set, on all texts."""
        head = {f"head.{name}": meta[f"heads.{problem.task.dataset}.{name}"] for name in ("weight", "bias")}
        batch = problem.objective.of_data_set(concatenate(*parts), problem.task)
        return problem.objective.loss(self.scale * problem.logits({**meta, **head}, batch), batch)


def cotrained(
    *,
    share: float = 0.5,
    metric: Literal["cosine", "euclidean"] = "cosine",
    scale: float = 10.0,
    set_scale: float = 10.0,
    dropout: bool = True,
) -> CoTrained:
    """Return prototypes with a learnt scale, and the classifiers with `share` of the loss."""
    return CoTrained(protonet(metric=metric, scale=scale, dropout=dropout), share, set_scale)
