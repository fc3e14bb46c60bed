"""A Parquet file of texts, some megabytes at a time, as the canonical columns that `read_table` gives it whole."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from metaglot.data.arrowfiles import class_names, from_arrow
from metaglot.data.bounds import parquet_pieces
from metaglot.data.columns import canonical, picker
from metaglot.data.exports.argilla import flat_questions
from metaglot.data.readers import data_files, format_of
from metaglot.errors import MetaglotError

READ = ("text", "text_pair", "domain", "lang", "document")


def parquet_files(source: str) -> list[Path]:
    """Return the Parquet files that a path means; none where it means anything else."""
    path = Path(source)
    if source.startswith("hub:") or not path.exists() or (path / "state.json").exists():
        return []
    if (path / "dataset_dict.json").exists():
        return []
    files = data_files(path) if path.is_dir() else [path]
    return files if all(file.is_file() and format_of(file) == ".parquet" for file in files) else []


def texts_of_parquet(files: Sequence[Path], mapping: Mapping[str, str] | None) -> Iterator[pa.Table] | None:
    """Return the tables of the files, rows counted on; None where any has to be read whole.

    That is where a column holds anything but strings, whose form all values together decide, and where a file is
    damaged or holds no rows, which the reader of whole files says.
    """
    chosen = [_chosen(file, mapping) for file in files]
    whole = [columns for columns in chosen if columns is not None]
    return _tables(files, whole) if files and len(whole) == len(chosen) else None


def _chosen(file: Path, mapping: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """Return {canonical name: column} of a file that can be read in pieces."""
    try:
        schema, rows = pq.read_schema(file), pq.read_metadata(file).num_rows
    except (pa.ArrowException, OSError):
        return None
    names = schema.names
    if not rows or flat_questions(names) or len(set(names)) < len(names):
        return None
    picked = picker(str(file), mapping, ("document",))(names)
    columns = {name: column for name, column in picked.items() if name in READ}
    plain = all(_is_text(schema.field(column).type) for column in columns.values())
    named = set(class_names(schema)) & set(columns.values())
    return columns if "text" in columns and plain and not named and "tokens" not in picked else None


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _tables(files: Sequence[Path], chosen: Sequence[Mapping[str, str]]) -> Iterator[pa.Table]:
    done = 0
    for file, columns in zip(files, chosen, strict=True):
        begin = done
        try:
            for piece in parquet_pieces(file, list(dict.fromkeys(columns.values()))):
                yield _table(piece, columns, file, done - begin, done)
                done += piece.num_rows
        except (pa.ArrowException, OSError) as error:
            raise MetaglotError(f"{file}: not readable as Parquet: {error}. Mend the file or its name.") from error


def _table(piece: pa.Table, columns: Mapping[str, str], file: Path, within: int, row: int) -> pa.Table:
    """Return the canonical columns of a piece that begins at a row of its file, and at another of all files."""
    raw = from_arrow(piece, columns, str(file))
    table = canonical(raw._replace(where=lambda number: f"{file}, row {within + number + 1}"))
    numbers = pa.array(range(row, row + len(table)), pa.int64())
    return table.set_column(table.schema.get_field_index("row"), "row", numbers)
