"""What a look at the targets of a kind tells: how many there are, and what is odd about them."""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from metaglot.choices import FAMILIES, object_at
from metaglot.data.labels import Label
from metaglot.data.task_kind import kind_called

LookAt = Callable[[Sequence[Label | None], Callable[[int], str]], "Facts"]
"""Cells of the column label, and what an error calls that of a row -> what there is to tell of them."""


class Grid(NamedTuple):
    """A table to show."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Facts(NamedTuple):
    """What there is to tell of the targets of a table."""

    targets: Sequence[Hashable | None]  # of the rows: the same text with unlike targets is a conflict
    lines: Sequence[tuple[str, str]]  # what, and how much, in words
    plain: Mapping[str, Any]  # the same as JSON
    grids: Sequence[Grid] = ()
    notes: Sequence[str] = ()
    conflict: str = "with unlike labels"  # how the same text stands more than once with targets that differ


def look_of(kind: str) -> LookAt | None:
    """Return what tells of the targets of a kind; None where they are classes, which readers tell of by themselves.

    A kind whose line in `choices.FAMILIES` names no such function is looked at by its family, which imports torch.
    """
    known = kind_called(kind)
    if known.exclusive:
        return None
    return object_at(known.facts) if known.facts else look_by(FAMILIES[kind]())


class Reader(Protocol):
    """What a look needs of a family."""

    def parse(self, cells: Sequence[Label | None], name: Callable[[int], str]) -> Any:
        """Return the targets in cells, with notes."""
        ...

    def shown(self, target: Any) -> str:
        """Return a target as tables have it."""
        ...


def look_by(family: Reader) -> LookAt:
    """Return the look at targets of any kind: how many there are, how many differ, and those that stand most often."""

    def look_at(cells: Sequence[Label | None], name: Callable[[int], str]) -> Facts:
        read = family.parse(cells, name)
        counts = Counter(family.shown(target) for target in read.targets if target is not None)
        n, missing = counts.total(), len(cells) - counts.total()
        rows = [(shown, f"{count:,}") for shown, count in counts.most_common(SHOWN)]
        rows += [(f"… {len(counts) - SHOWN} more", "")] if len(counts) > SHOWN else []
        return Facts(
            read.targets,
            [("targets", f"{n:,}, {len(counts):,} different"), ("without a target", f"{missing:,}")],
            {"targets": {"n": n, "different": len(counts), "missing": missing}},
            [Grid("Targets", ("target", "rows"), tuple(rows))],
            read.notes,
            "with unlike targets",
        )

    return look_at


SHOWN = 20  # different targets
