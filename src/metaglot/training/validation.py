"""The generalisation test inside training: adapt to held-out tasks, judge on their query sets."""

import math
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Protocol

import torch

from metaglot.errors import MetaglotError
from metaglot.families.language import perplexity, with_perplexity
from metaglot.metric import ACCURACY, Measures, Metric
from metaglot.seeds import fold
from metaglot.types import Algorithm, Learner, Params, Problem, Record, TaskDistribution

VALIDATION_SEED = 20_000  # the same held-out episodes in every run, whatever its seed


@dataclass(frozen=True)
class Validation:
    """When and on how many held-out episodes to test."""

    every: int = 200  # steps
    episodes: int = 40


@dataclass(frozen=True)
class Goal:
    """Training ends as soon as validation meets it."""

    metric: Metric = ACCURACY
    score: float = 0.75  # at least, or at most where less is better
    shots: int = 5

    def met(self, record: Record) -> bool:
        """Return whether a validation record meets the goal."""
        return self.metric.reaches(float(record.get(self.metric.name, math.nan)), self.score)


def validate(
    algorithm: Algorithm, learner: Learner, meta: Params, distribution: TaskDistribution, *, episodes: int
) -> dict[str, float]:
    """Return the mean of each query metric over the episodes and `ci95`, the half-width for the primary one.

    Each task counts the same; in language modelling an episode counts by the tokens judged in it.  Raises MetaglotError
    where episodes have unlike primary metrics.
    """
    primary: Metric | None = None
    rows: list[dict[str, float]] = []
    weights: list[int] = []
    for n in range(episodes):
        episode = distribution(VALIDATION_SEED, n, {}).to(learner.device)
        problem = Problem(learner, episode.objective, episode.task)
        fast = algorithm.adapt(problem, meta, episode.support, seed=fold(VALIDATION_SEED, "adapt", n))
        with torch.no_grad():
            logits = problem.logits({**meta, **fast.params}, episode.query)
        primary = _same(primary, episode.objective.measures[0])
        rows.append(dict(episode.objective.metrics(logits, episode.query)))
        weights.append(episode.objective.judged(episode.query) if problem.over_vocabulary else 1)
    judged = weights if any(weights) else None
    means = with_perplexity({name: fmean((f[name] for f in rows), judged) for name in rows[0]})
    if primary is not None and len(rows) > 1:
        scores = [f[primary.name] for f in rows]
        means["ci95"] = 1.96 * stdev(scores) / math.sqrt(len(scores))
    return means


def _same(before: Metric | None, now: Metric) -> Metric:
    """Return the primary metric of one more episode; raise MetaglotError where it is not that of those before."""
    if before is not None and before != now:
        raise MetaglotError(
            f"validation tasks are judged by {before.axis} and by {now.axis}, and no mean is taken over unlike "
            "metrics; validate on tasks of one kind"
        )
    return now


class HeldOutText(TaskDistribution, Protocol):
    """Batches 0 … count - 1 of text that is kept aside (`tasks/plain.py`)."""

    @property
    def count(self) -> int:
        """How many batches there are."""
        ...

    @property
    def measures(self) -> Measures:
        """What its metrics are."""
        ...


def held_out_text(learner: Learner, meta: Params, text: HeldOutText) -> dict[str, float]:
    """Return `text_loss` (nats a judged token) and `perplexity` of the plain objective on text kept aside.

    Of an objective without a perplexity: its metrics, the loss as `text_loss`, means by what is judged.
    """
    totals: dict[str, float] = {}
    judged = 0
    for n in range(text.count):
        episode = text(VALIDATION_SEED, n, {}).to(learner.device)
        problem = Problem(learner, episode.objective, episode.task)
        with torch.no_grad():
            metrics = problem.objective.metrics(problem.logits(meta, episode.query), episode.query)
        weight = problem.objective.judged(episode.query)
        totals = {name: totals.get(name, 0.0) + weight * value for name, value in metrics.items()}
        judged += weight
    means = {name: total / max(judged, 1) for name, total in totals.items()}
    loss = means.pop("loss")
    return {"text_loss": loss, **({"perplexity": perplexity(loss)} if "perplexity" in means else means)}
