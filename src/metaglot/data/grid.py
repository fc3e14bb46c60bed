"""The header and the rows of a csv or tsv: names of columns, rows that are shorter or longer, what is left out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from metaglot.data.columns import Pick
from metaglot.errors import MetaglotError

SHOWN = 5  # lines named in a note


@dataclass
class Oddities:
    """What is left out of a file, while its rows are read."""

    comments: int = 0  # lines that begin with #
    bare: bool = False  # there is no header
    unread: int = 0  # rows that hold something in columns without a name
    headers: list[int] = field(default_factory=list[int])  # lines in which the header stands again

    def notes(self, path: Path) -> tuple[str, ...]:
        """Return a note on each kind."""
        again = ", ".join(map(str, self.headers[:SHOWN]))
        more = f" and {len(self.headers) - SHOWN} more" if len(self.headers) > SHOWN else ""
        conditions = {
            f"{path}: the header stands again in line {again}{more}, which is left out": bool(self.headers),
            f"{path}: {self.comments} lines that begin with # are comments and left out": bool(self.comments),
            f"{path}: columns are given by number, so that the first line is a row and no header": self.bare,
            f"{path}: {self.unread} rows hold something in columns without a name, which are not read (they go by names"
            " such as 'unnamed 3')": bool(self.unread),
        }
        return tuple(note for note, stands in conditions.items() if stands)


def header_of(path: Path, pick: Pick, rows: Sequence[tuple[int, list[str]]]) -> tuple[list[str], bool]:
    """Return the names of the columns, and whether the file has no header, so that these are numbers from 1.

    Raises MetaglotError for a name that stands twice.
    """
    if not rows:
        raise MetaglotError(f"{path}, line 1: no rows.")
    line, fields = rows[0]
    names = [name.strip() or unnamed_column(at) for at, name in enumerate(fields)]
    if pick.numbered and not set(pick.mapping.values()) <= set(names):
        return [str(at + 1) for at in range(len(fields))], True
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MetaglotError(
            f"{path}, line {line}: the header has {twice[0]!r} more than once. Give each column its own name."
        )
    return names, False


def unnamed_column(at: int) -> str:
    """Return the name of the column at this place (from 0) where the header has none."""
    return f"unnamed {at + 1}"


def filled(fields: list[str], header: Sequence[str]) -> list[str] | None:
    """Return a row with as many fields as the header; None where it has others.

    Columns without a name at the end may be absent, and empty fields may follow.
    """
    if len(fields) == len(header):
        return fields
    if len(fields) > len(header):
        return None if any(fields[len(header) :]) else fields[: len(header)]
    nameless = all(header[at] == unnamed_column(at) for at in range(len(fields), len(header)))
    return [*fields, *([""] * (len(header) - len(fields)))] if nameless else None


def is_header(fields: Sequence[str], header: Sequence[str]) -> bool:
    """Whether a row is the header once more, as where files were put one behind the other."""
    return len(header) > 1 and len(fields) == len(header) and all(map(_same, fields, header))


def _same(field: str, name: str) -> bool:
    return len(field) <= len(name) + 9 and field.strip("\ufeff \t") == name.strip("\ufeff")
