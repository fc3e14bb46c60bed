"""The weight of each episode in the mean over a step.

An episode with a support set is a task, and all tasks have the same weight.  An episode without one is a part of a
batch of plain text; its weight is the number of its judged tokens, so that the parts give the gradient of the batch.
"""

from collections.abc import Sequence

from metaglot.types import Episode


def episode_weights(episodes: Sequence[Episode]) -> list[float]:
    """Return the weight of each episode; their mean is 1."""
    plain = [0 if episode.support else episode.objective.judged(episode.query) for episode in episodes]
    parts = sum(not episode.support for episode in episodes)
    judged = sum(plain)
    if judged == 0:
        return [1.0] * len(episodes)
    return [1.0 if e.support else parts * count / judged for e, count in zip(episodes, plain, strict=True)]
