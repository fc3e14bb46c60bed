"""Which meta-gradients are asked for and not used yet, and which of them a step may take: staleness stays bounded.

A gradient that was asked for before step v (from 0) and is used by step s is s − v steps old, and s − v ≤ S always:

    ask      while fewer than B (S + 1) are asked for and not used, where a step uses B;
    use      the B oldest that are there, if the others can still be used in time:
             for each k, at most B k of them must be used within the next k steps;
    wait     else, for a slow worker.

With S = 0 this is synchronous: B gradients of the same parameters, then a step.  Each number is used once.  The bound
is that of stale synchronous parallel, Ho et al. 2013, https://papers.nips.cc/paper/4894; that a step takes those that
come first is n-softsync, Zhang et al. 2015, https://arxiv.org/abs/1511.05950.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Ledger:
    """The numbers of gradients that are asked for and not used, each with the step that its parameters are of."""

    a_step: int  # gradients that a step uses, B
    staleness: int  # steps that a gradient may be old, S
    next: int  # the first number that nobody has asked for
    end: int  # the first number that no step will use
    again: list[int] = field(default_factory=list[int])  # asked for before, and lost
    asked: dict[int, int] = field(default_factory=dict[int, int])  # number -> step of its parameters
    here: set[int] = field(default_factory=set[int])  # those of them that have come

    @classmethod
    def at(cls, step: int, pending: Iterable[int], *, a_step: int, staleness: int, steps: int) -> "Ledger":
        """Return the ledger of a run before a step; `pending` are numbers that it had asked for and not used."""
        again = sorted(pending)
        return cls(a_step, staleness, step * a_step + len(again), steps * a_step, again)

    def pending(self) -> tuple[int, ...]:
        """Return the numbers that a later step must use, though later ones may have been used."""
        return tuple(sorted([*self.again, *self.asked]))

    def ask(self, step: int) -> int | None:
        """Return the number of the gradient to ask for with the parameters of `step`; None if there are enough."""
        if len(self.asked) >= self.a_step * (self.staleness + 1):
            return None
        if self.again:
            number = self.again.pop(0)
        elif self.next < self.end:
            number, self.next = self.next, self.next + 1
        else:
            return None
        self.asked[number] = step
        return number

    def came(self, number: int) -> None:
        """Note that a gradient has come."""
        self.here.add(number)

    def lost(self, number: int) -> None:
        """Note that nobody works on a gradient any more: it is asked for again, with newer parameters."""
        del self.asked[number]
        self.again = sorted([*self.again, number])

    def use(self, step: int) -> dict[int, int] | None:
        """Return the numbers that this step uses, in order, each with its age in steps; None where it has to wait."""
        oldest = sorted(self.here, key=lambda number: (self.asked[number], number))[: self.a_step]
        if len(oldest) < self.a_step or not self._in_time(self.asked.keys() - set(oldest), step):
            return None
        self.here -= set(oldest)
        return {number: step - self.asked.pop(number) for number in sorted(oldest)}

    def _in_time(self, others: Iterable[int], step: int) -> bool:
        """Whether these can be used after this step, none of them too late."""
        left = sorted(self.asked[number] + self.staleness - step for number in others)  # steps each may wait
        return all(position < self.a_step * wait for position, wait in enumerate(left))
