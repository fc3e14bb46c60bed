"""A file read whole: its canonical columns, and every column as it stands in the file, row by row."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeAlias, cast

import pyarrow as pa

from metaglot.choices import Cells
from metaglot.data.columns import Pick, Raw, canonical, picker
from metaglot.data.labels import SPANS, label_kind
from metaglot.data.readers import FORMATS, format_of, read_as
from metaglot.errors import MetaglotError

OWN = "\0"  # before the name of a column of the file, which no column begins with


Columns: TypeAlias = Mapping[str, Sequence[object] | pa.ChunkedArray]


class Whole(NamedTuple):
    """A file as a canonical table, and its own columns; both have the same rows."""

    table: pa.Table
    columns: Columns  # in the order of the file, by their own names


def read_whole(
    path: Path, *, mapping: Mapping[str, str] | None = None, encoding: str | None = None, cells: Cells = "look"
) -> Whole:
    """Return a data file with all of its columns; those of its own keep their values, whatever they are.

    A file of tokens has their text beside them, and texts are without their marks, since places of spans count these
    characters.  `cells` is as in `read_table`.

    Raises MetaglotError as `read_table` does, and for a folder.
    """
    kind = format_of(path)
    if kind is None or path.is_dir():
        raise MetaglotError(f"{path}: the columns of one file can be kept; name a file ({', '.join(FORMATS)})")
    raw = _read(path, kind, replace(picker(str(path), mapping, encoding=encoding, cells=cells, asking=True), own=OWN))
    own = {name.removeprefix(OWN): values for name, values in raw.columns.items() if name.startswith(OWN)}
    rest = {name: values for name, values in raw.columns.items() if not name.startswith(OWN)}
    table = canonical(raw._replace(columns=rest), cells)
    if not own or "text" not in rest:
        return Whole(table, {**own, "text": table["text"]})
    return Whole(table, _without_marks(own, _listed(rest["text"]), table) if label_kind(table) == SPANS else own)


def _without_marks(own: Columns, texts: Sequence[object], table: pa.Table) -> Columns:
    """Return the columns of a file, that of the texts as they are without the marks of spans."""
    plain = _plain(table["text"])
    return {name: plain if texts != plain and _listed(values) == texts else values for name, values in own.items()}


def _listed(values: Sequence[object] | pa.ChunkedArray) -> list[object]:
    return _plain(values) if isinstance(values, pa.ChunkedArray) else list(values)


def _plain(values: pa.ChunkedArray) -> list[object]:
    return cast("list[object]", values.to_pylist())


def _read(path: Path, kind: str, pick: Pick) -> Raw:
    if not path.exists():
        raise MetaglotError(f"{path}: no such file.")
    return read_as(kind, path, pick)
