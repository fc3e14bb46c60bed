"""`metaglot predict --out`: a file with the columns of the input and those of the predictions, row by row."""

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
NEW_COLUMNS = ("label", "probability")
RENAME_HINT = "give the new columns other names, for example --new-columns label=predicted,probability=chance"


def parse_new_columns(option: str | None) -> tuple[str, str]:
    """Return the names of the two new columns, from `label=NAME,probability=NAME`; raise MetaglotError for others."""
    from metaglot.data.columns import parse_columns

    names = dict(zip(NEW_COLUMNS, NEW_COLUMNS, strict=True)) | ({} if option is None else parse_columns([option]))
    if set(names) != set(NEW_COLUMNS) or len(set(names.values())) < len(NEW_COLUMNS):
        raise MetaglotError(
            f"--new-columns {option}: expected two different names, as label=predicted,probability=chance"
        )
    return names["label"], names["probability"]


def check_out(out: Path, *, force: bool) -> None:
    """Raise MetaglotError for an unknown ending and, unless `force`, for an existing file."""
    if out.suffix.lower() not in WRITERS:
        raise MetaglotError(f"--out {out}: the ending is that of no known format; choose one of {', '.join(WRITERS)}")
    utf8_path(out)
    if out.is_dir() or (out.exists() and not force):
        raise MetaglotError(f"--out {out}: it exists already; choose another name, or --force to replace that file")


def is_text(out: Path) -> bool:
    """Whether the values of a file are texts only."""
    return out.suffix.lower() in (".csv", ".tsv")


def with_new_columns(columns: "Mapping[str, Sequence[object] | pa.ChunkedArray]", new: Columns, file: Path) -> Columns:
    """Return the columns of a file and the new ones after them; raise MetaglotError for a name that both have."""
    for name in new:
        if name in columns:
            raise MetaglotError(f"{file}: it has a column {name!r} already; {RENAME_HINT}")
    return {**columns, **new}


def write_out(out: Path, columns: Columns) -> None:
    """Write all columns or none, in the format of the ending."""
    from metaglot.data.cache import atomic_file

    with atomic_file(out) as part:
        WRITERS[out.suffix.lower()](part, columns)


def _separated_writer(separator: str) -> Callable[[Path, Columns], None]:
    def write(path: Path, columns: Columns) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, delimiter=separator, lineterminator="\n")
            rows.writerow(columns)
            rows.writerows(map(_cell, row) for row in zip(*map(_plain, columns.values()), strict=True))

    return write


def _jsonl(path: Path, columns: Columns) -> None:
    with path.open("w", newline="\n", encoding="utf-8") as file:
        for row in zip(*map(_plain, columns.values()), strict=True):
            record = dict(zip(columns, row, strict=True))
            file.write(json.dumps(record, ensure_ascii=False, default=str) + "\n")


def _parquet(path: Path, columns: Columns) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({name: _arrow(values) for name, values in columns.items()}), path)


def _arrow(values: Sequence[Any]) -> Any:
    """Return an Arrow column; values of several types, which JSON allows, become strings of JSON."""
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
    """Return a value as a field of csv."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, default=str)


WRITERS: Mapping[str, Callable[[Path, Columns], None]] = {
    ".csv": _separated_writer(","),
    ".tsv": _separated_writer("\t"),
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}
