"""The generalisation test inside training: adapt to held-out tasks, judge on their query sets."""

import math
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, Protocol

import torch

from metaglot.errors import MetaglotError
from metaglot.families.language import perplexity, with_perplexity
from metaglot.metric import ACCURACY, Measures, Metric
from metaglot.models.sharded import Sharded
from metaglot.seeds import fold
from metaglot.training.ranks import ALONE, Ranks, gathering
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
    algorithm: Algorithm,
    learner: Learner,
    meta: Params,
    distribution: TaskDistribution,
    *,
    episodes: int,
    ranks: Ranks = ALONE,
) -> dict[str, float]:
    """Return the mean of each query metric over the episodes and `ci95`, the half-width for the primary one.

    Each task counts the same; in language modelling an episode counts by the tokens judged in it.  Raises MetaglotError
    where episodes have unlike primary metrics.  Ranks take the episodes by stride, and all return the same numbers.
    Where they divide a body, all run it equally often.
    """
    numbers = ranks.rounds(episodes) if isinstance(learner, Sharded) else ranks.share(episodes)
    with gathering(learner):
        found = [_judged(algorithm, learner, meta, distribution, n) for n in numbers]
    judged_episodes = ranks.in_order(found[: len(ranks.share(episodes))], episodes)
    primary: Metric | None = None
    for _, _, metric in judged_episodes:
        primary = _same(primary, Metric.from_json(metric))
    rows = [row for row, _, _ in judged_episodes]
    weights = [weight for _, weight, _ in judged_episodes]
    judged = weights if any(weights) else None
    means = with_perplexity({name: fmean((f[name] for f in rows), judged) for name in rows[0]})
    if primary is not None and len(rows) > 1:
        scores = [f[primary.name] for f in rows]
        means["ci95"] = 1.96 * stdev(scores) / math.sqrt(len(scores))
    return means


def _judged(
    algorithm: Algorithm, learner: Learner, meta: Params, distribution: TaskDistribution, n: int
) -> tuple[dict[str, float], int, dict[str, Any]]:
    """Return the metrics of an episode, its weight, and the primary metric."""
    episode = distribution(VALIDATION_SEED, n, {}).to(learner.device)
    problem = Problem(learner, episode.objective, episode.task)
    fast = algorithm.adapt(problem, meta, episode.support, seed=fold(VALIDATION_SEED, "adapt", n))
    with torch.no_grad():
        logits = problem.logits({**meta, **fast.params}, episode.query)
    row = {name: float(value) for name, value in episode.objective.metrics(logits, episode.query).items()}
    weight = episode.objective.judged(episode.query) if problem.over_vocabulary else 1
    return row, weight, episode.objective.measures[0].to_json()


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


def held_out_text(learner: Learner, meta: Params, text: HeldOutText, *, ranks: Ranks = ALONE) -> dict[str, float]:
    """Return `text_loss` (nats a judged token) and `perplexity` of the plain objective on text kept aside.

    Of an objective without a perplexity: its metrics, the loss as `text_loss`, means by what is judged.  Ranks take
    the batches by stride, and all return the same numbers.
    """
    totals: dict[str, float] = {}
    judged = 0
    own = [_batch_of_text(learner, meta, text, n) for n in ranks.share(text.count)]
    for metrics, weight in ranks.in_order(own, text.count):
        totals = {name: totals.get(name, 0.0) + weight * value for name, value in metrics.items()}
        judged += weight
    means = {name: total / max(judged, 1) for name, total in totals.items()}
    loss = means.pop("loss")
    return {"text_loss": loss, **({"perplexity": perplexity(loss)} if "perplexity" in means else means)}


def _batch_of_text(learner: Learner, meta: Params, text: HeldOutText, n: int) -> tuple[dict[str, float], int]:
    """Return the metrics of a batch of text and how much is judged in it."""
    episode = text(VALIDATION_SEED, n, {}).to(learner.device)
    problem = Problem(learner, episode.objective, episode.task)
    with torch.no_grad():
        metrics = problem.objective.metrics(problem.logits(meta, episode.query), episode.query)
    return {name: float(value) for name, value in metrics.items()}, problem.objective.judged(episode.query)
