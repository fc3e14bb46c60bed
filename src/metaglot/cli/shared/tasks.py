"""The tasks of a command, read from files; tasks of classes are read before torch is imported."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from metaglot.choices import FAMILIES
from metaglot.cli.shared.judging import LabelledTask, words_of

if TYPE_CHECKING:
    import pyarrow as pa

    from metaglot.data.draws import Draws

CONSTANT_BASELINE = "prior"  # the baseline that is always judged where a task is not of classes


def read_tasks(
    paths: Iterable[Path],
    columns: str | None,
    encoding: str | None = None,
    *,
    seed: int = 0,
    task: str | None = None,
    by_domain: bool = False,
) -> list[LabelledTask]:
    """Return the tasks of labelled files; raise MetaglotError that names the file if it is not a labelled file.

    `task` is the kind of all tasks; if it is None, the labels of a file decide.  With `by_domain` each domain is a
    task; domains that are too small to draw from are left out.
    """
    from metaglot.data.by_domain import drawn, kind_of_tables, tables_of
    from metaglot.data.columns import parse_columns

    mapping = None if columns is None else parse_columns([columns])
    tasks: list[LabelledTask] = []
    for path in paths:
        tables = tables_of(path, mapping=mapping, encoding=encoding, task=task, by_domain=by_domain)
        kind = task or kind_of_tables(tables)
        draws_by_name = drawn(path, tables, _rule(kind, seed))
        tasks += [LabelledTask(name, *table_and_draws, kind) for name, table_and_draws in draws_by_name.items()]
    return tasks


def _rule(kind: str, seed: int) -> "Callable[[pa.Table], Draws]":
    """Return the function that makes the draws of a table; for classes it needs no family, and so no torch."""
    from metaglot.data.draws import draws_of

    if FAMILIES.exclusive(kind):
        return lambda table: draws_of(table, seed=seed)
    from metaglot.evaluation.kinds import draws_by
    from metaglot.families.choose import family_called

    family = family_called(kind)
    return lambda table: draws_by(table, family, seed=seed)


def with_constant_baseline(against: Sequence[str], tasks: Iterable[LabelledTask]) -> list[str]:
    """Return the baselines; the constant one is among them where a task is not of classes."""
    needed = (
        bool(against) and CONSTANT_BASELINE not in against and not all(FAMILIES.exclusive(task.kind) for task in tasks)
    )
    return [*([CONSTANT_BASELINE] if needed else []), *against]


def efforts_for(given: str | None, tasks: Iterable[LabelledTask]) -> tuple[str, ...]:
    """Return the efforts between commas; if none is given, the usual one of each kind that the tasks have."""
    if given is not None:
        return tuple(words_of(given))
    from metaglot.adaptation.effort import usual_effort
    from metaglot.families.choose import family_called

    return tuple(dict.fromkeys(usual_effort(family_called(kind)) for kind in sorted({task.kind for task in tasks})))
