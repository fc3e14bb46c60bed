"""The weight of each episode in the mean over a step.

An episode with a support set is a task, and all tasks have the same weight.  An episode without one is a part of a
batch of plain text; its weight is the number of its judged tokens, so that the parts give the gradient of the batch.
"""

from collections.abc import Sequence

from metaglot.types import Episode


def episode_weights(episodes: Sequence[Episode]) -> list[float]:
    """Return the weight of each episode; their mean is 1."""
    return weights_of([plain_size(episode) for episode in episodes])


def plain_size(episode: Episode) -> int | None:
    """Return the judged tokens of a part of plain text; None of a task."""
    return None if episode.support else episode.objective.judged(episode.query)


def weights_of(plain: Sequence[int | None]) -> list[float]:
    """Return the weight of each episode from its `plain_size`; their mean is 1."""
    counts = [count for count in plain if count is not None]
    judged = sum(counts)
    if judged == 0:
        return [1.0] * len(plain)
    return [1.0 if count is None else len(counts) * count / judged for count in plain]
