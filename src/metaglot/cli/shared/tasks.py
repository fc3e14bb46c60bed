"""The tasks that a command judges on, read from files: those of classes before torch is imported."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from metaglot.choices import FAMILIES
from metaglot.cli.shared.judging import Labelled

if TYPE_CHECKING:
    import pyarrow as pa

    from metaglot.data.draws import Draws

FLOOR = "prior"  # the baseline that is judged wherever a task is not of classes


def read_tasks(
    paths: Iterable[Path],
    columns: str | None,
    encoding: str | None = None,
    *,
    seed: int = 0,
    task: str | None = None,
    by_domain: bool = False,
) -> list[Labelled]:
    """Return the tasks of labelled files; raise MetaglotError that names the file for one that is none.

    The kind of a task is what the labels of its file look like, unless `task` says it.  With `by_domain` each domain
    is a task; those too small to draw from are left out.
    """
    from metaglot.data.by_domain import drawn, kind_of_tables, tables_of
    from metaglot.data.columns import parse_columns

    mapping = None if columns is None else parse_columns([columns])
    found: list[Labelled] = []
    for path in paths:
        tables = tables_of(path, mapping=mapping, encoding=encoding, task=task, by_domain=by_domain)
        kind = task or kind_of_tables(tables)
        there = drawn(path, tables, _rule(kind, seed))
        found += [Labelled(name, *one, kind) for name, one in there.items()]
    return found


def _rule(kind: str, seed: int) -> "Callable[[pa.Table], Draws]":
    """Return what draws from a table of a kind; classes need no family, and so no torch."""
    from metaglot.data.draws import draws_of

    if FAMILIES.exclusive(kind):
        return lambda table: draws_of(table, seed=seed)
    from metaglot.evaluation.kinds import draws_by
    from metaglot.families.choose import family_called

    family = family_called(kind)
    return lambda table: draws_by(table, family, seed=seed)


def with_floor(against: Sequence[str], tasks: Iterable[Labelled]) -> list[str]:
    """Return the baselines, the constant one among them where a task is of another kind than classes."""
    needed = bool(against) and FLOOR not in against and not all(FAMILIES.exclusive(task.kind) for task in tasks)
    return [*([FLOOR] if needed else []), *against]
