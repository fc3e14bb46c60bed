"""Messages and progress bars while a plan is made."""

from collections.abc import Callable
from typing import NamedTuple

Bar = Callable[[str, int, int], None]
"""A function of the name of the work, the steps done and all steps."""


def say_nothing(_: str) -> None:
    """Say nothing."""
    return


def no_bar(_: str, __: int, ___: int) -> None:
    """Show nothing."""
    return


class Progress(NamedTuple):
    """Where messages and progress go."""

    say: Callable[[str], None] = say_nothing
    bar: Bar = no_bar

    def bar_of(self, work: str) -> Callable[[int, int], None]:
        """Return a function of (steps done, all steps) that moves the bar of this work."""
        return lambda done, total: self.bar(work, done, total)
