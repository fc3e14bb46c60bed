"""What metaglot warns of in other processes is told by the one that began them, each once."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from metaglot.errors import own_warnings
from metaglot.evaluation.protocol import Cell
from metaglot.evaluation.result import Result


class Judged(NamedTuple):
    """The result of a cell, and what was warned of meanwhile."""

    result: Result
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Noting:
    """A judge of cells that keeps what is warned of, for the process that waits for the results."""

    judge: Callable[[Cell], Result]

    def __call__(self, cell: Cell) -> Judged:
        """Return what the judge makes of a cell."""
        with own_warnings() as notes:
            result = self.judge(cell)
        return Judged(result, tuple(notes))


def told(judged: Iterable[Judged]) -> Iterator[Result]:
    """Yield the results, and warn here of what was warned of there."""
    known: set[str] = set()
    for one in judged:
        for note in one.notes:
            if note not in known:
                warnings.warn(note, stacklevel=1)
        known |= set(one.notes)
        yield one.result
