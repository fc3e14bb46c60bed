"""Which episodes of a step a rank takes, and what all ranks must know of them.

A gradient is of one episode, or of all of a step where an algorithm goes through them in one loop (`together`).  Such a
loop cannot be divided: rank 0 takes it, and the others add nothing.
"""

from collections.abc import Sequence
from typing import NamedTuple

from metaglot.tasks.weights import plain_size
from metaglot.training.ranks import Ranks
from metaglot.types import Episode


class Facts(NamedTuple):
    """What all ranks must know of an episode."""

    kind: str  # the name of its objective
    plain: int | None  # judged tokens of a part of plain text; None of a task
    tokens: int  # without padding


def facts_of(episode: Episode) -> Facts:
    """Return what all ranks must know of an episode."""
    batches = [batch for batch in (episode.support, episode.query) if batch]
    tokens = sum(int(batch["attention_mask"].sum()) for batch in batches)
    return Facts(episode.objective.name, plain_size(episode), tokens)


class Shares(NamedTuple):
    """How the episodes of a step are divided."""

    ranks: Ranks
    episodes: int  # of a step, of all ranks
    size: int  # episodes that one gradient is of
    own: tuple[int, ...]  # the numbers of the episodes that this rank takes

    @property
    def gradients(self) -> int:
        """How many gradients a step has, of all ranks."""
        return self.episodes // self.size

    def every(self, own: Sequence[Facts]) -> list[Facts]:
        """Return the facts of all episodes of the step, from those of this rank's."""
        if self.ranks.alone:
            return list(own)
        by_gradient = [list(own[at : at + self.size]) for at in range(0, len(own), self.size)]
        return [Facts(*fact) for of_one in self.ranks.in_order(by_gradient, self.gradients) for fact in of_one]


def shares(ranks: Ranks, episodes: int, *, together: bool) -> Shares:
    """Return how `episodes` a step are divided; those of an algorithm that wants all together are rank 0's.

    Examples
    --------
    >>> from metaglot.training.ranks import Ranks
    >>> shares(Ranks(1, 2), 5, together=False).own, shares(Ranks(1, 2), 5, together=True).own
    ((1, 3), ())
    """
    size = episodes if together else 1
    own = tuple(number * size + i for number in ranks.share(episodes // size) for i in range(size))
    return Shares(ranks, episodes, size, own)
