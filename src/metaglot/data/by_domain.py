"""The tables of a file that are tasks: the file itself, or the rows of each of its domains."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa

from metaglot.data.draws import Draws
from metaglot.data.form import answered
from metaglot.data.number_span import with_span_of_file
from metaglot.data.readers import read_table
from metaglot.data.task_kind import cells_of, task_of
from metaglot.errors import MetaglotError


def tables_of(
    path: str | Path,
    *,
    mapping: Mapping[str, str] | None = None,
    encoding: str | None = None,
    task: str | None = None,
    by_domain: bool = False,
) -> dict[str, pa.Table]:
    """Return the labelled table of a file by the name of the file, or with `by_domain` those of its domains.

    A domain is called FILE/DOMAIN; rows without a domain are left out.  Raises MetaglotError for a file that cannot be
    read, and for one without domains.
    """
    table, stem = answered(read_table(path, mapping=mapping, encoding=encoding, cells=cells_of(task))), Path(path).stem
    if not by_domain:
        return {stem: table}
    domains = sorted(table["domain"].unique().drop_null().to_pylist()) if "domain" in table.column_names else []
    if not domains:
        raise MetaglotError(f"{path}: it has no column of domains; name it, as in --columns domain=COLUMN")
    of, table = table["domain"].to_pylist(), with_span_of_file(table)
    return {f"{stem}/{domain}": table.filter(pa.array([one == domain for one in of])) for domain in domains}


def kind_of_tables(tables: Mapping[str, pa.Table]) -> str:
    """Return the kind of the tasks of one file, by the look of all of its labels."""
    return task_of(pa.concat_tables(tables.values()))


def drawn(
    path: str | Path, tables: Mapping[str, pa.Table], rule: Callable[[pa.Table], Draws]
) -> dict[str, tuple[pa.Table, Draws]]:
    """Return each table with its draws; of several, those too small to draw from are left out.

    Raises MetaglotError that names the file where none is left.
    """
    found: dict[str, tuple[pa.Table, Draws]] = {}
    wrong: MetaglotError | None = None
    for name, table in tables.items():
        try:
            found[name] = table, rule(table)
        except MetaglotError as error:
            wrong = wrong or error
    if not found:
        raise MetaglotError(f"{path}: {wrong}") from wrong
    return found
