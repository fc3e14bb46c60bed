"""How assembling tells what it does."""

from collections.abc import Callable
from typing import NamedTuple

Bar = Callable[[str, int, int], None]
"""Called with what is done, how much of it is done, and how much there is."""


def silent(_: str) -> None:
    """Say nothing."""
    return


def no_bar(_: str, __: int, ___: int) -> None:
    """Show nothing."""
    return


class Progress(NamedTuple):
    """Lines and progress for whoever watches."""

    say: Callable[[str], None] = silent
    bar: Bar = no_bar

    def counting(self, what: str) -> Callable[[int, int], None]:
        """Return a function of (done, total) that moves the bar of `what`."""
        return lambda done, total: self.bar(what, done, total)
