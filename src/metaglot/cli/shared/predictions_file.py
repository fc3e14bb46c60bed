"""`metaglot predict --out`: a file with the columns that were read, and what was predicted, row by row."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaglot.data.rawfiles import utf8_path
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    import pyarrow as pa

Columns = Mapping[str, Sequence[Any]]
NEW = ("label", "probability")
OF_NEW = "name the new columns otherwise, for example --new-columns label=predicted,probability=chance"


def new_names(asked: str | None) -> tuple[str, str]:
    """Return the names of the two columns to add, from `label=NAME,probability=NAME`; raise MetaglotError for more."""
    from metaglot.data.columns import parse_columns

    names = dict(zip(NEW, NEW, strict=True)) | ({} if asked is None else parse_columns([asked]))
    if set(names) != set(NEW) or len(set(names.values())) < len(NEW):
        raise MetaglotError(
            f"--new-columns {asked}: expected two different names, as label=predicted,probability=chance"
        )
    return names["label"], names["probability"]


def check_out(out: Path, *, force: bool) -> None:
    """Raise MetaglotError for an ending that says no format, and for a file that is there already, unless `force`."""
    if out.suffix.lower() not in WRITERS:
        raise MetaglotError(f"--out {out}: the ending says the format; choose one of {', '.join(WRITERS)}")
    utf8_path(out)
    if out.is_dir() or (out.exists() and not force):
        raise MetaglotError(f"--out {out}: is there already; choose another name, or --force to replace that file")


def is_text(out: Path) -> bool:
    """Whether a file has no other values than text."""
    return out.suffix.lower() in (".csv", ".tsv")


def joined(columns: "Mapping[str, Sequence[object] | pa.ChunkedArray]", new: Columns, file: Path) -> Columns:
    """Return the columns of a file with those of a prediction after them; raise MetaglotError for a name twice."""
    for name in new:
        if name in columns:
            raise MetaglotError(f"{file}: has a column {name!r} already; {OF_NEW}")
    return {**columns, **new}


def write_out(out: Path, columns: Columns) -> None:
    """Write the columns whole or not at all, in the format that the ending says."""
    from metaglot.data.cache import atomic_file

    with atomic_file(out) as part:
        WRITERS[out.suffix.lower()](part, columns)


def _separated(mark: str) -> Callable[[Path, Columns], None]:
    def write(path: Path, columns: Columns) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, delimiter=mark, lineterminator="\n")
            rows.writerow(columns)
            rows.writerows(map(_cell, row) for row in zip(*map(_plain, columns.values()), strict=True))

    return write


def _jsonl(path: Path, columns: Columns) -> None:
    with path.open("w", newline="\n", encoding="utf-8") as file:
        for row in zip(*map(_plain, columns.values()), strict=True):
            plain = dict(zip(columns, row, strict=True))
            file.write(json.dumps(plain, ensure_ascii=False, default=str) + "\n")


def _parquet(path: Path, columns: Columns) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({name: _arrow(values) for name, values in columns.items()}), path)


def _arrow(values: Sequence[Any]) -> Any:
    """Return a column of Arrow; values of several kinds, as JSON may have them, become strings of JSON."""
    import pyarrow as pa

    if isinstance(values, pa.ChunkedArray):
        return values
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):
        return pa.array([None if value is None else _cell(value) for value in values])


def _plain(values: Any) -> Sequence[Any]:
    import pyarrow as pa

    return values.to_pylist() if isinstance(values, pa.ChunkedArray) else values


def _cell(value: object) -> object:
    """Return a value as one field of csv."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, default=str)


WRITERS: Mapping[str, Callable[[Path, Columns], None]] = {
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}
