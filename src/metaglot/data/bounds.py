"""What a table takes in memory, counted before it is taken: a small file may state, or pack, very much.

A limit holds for the bytes that a file becomes: UNPACKED, or MULTIPLE times its size where that is more.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from metaglot.data.rawfiles import UNPACKED
from metaglot.errors import MetaglotError

MULTIPLE = 50
COLUMNS = 100_000
ROWS = 100_000_000
BATCH = 16_384  # rows that are read at a time
compute = cast("Any", pyarrow.compute)  # its stubs lack the functions
WAY_OUT = "If you trust it, write it again as jsonl or csv, in parts, and name these."


def bounded_parquet(path: Path, columns: list[str] | None) -> pa.Table:
    """Return columns of a Parquet file; raise MetaglotError where they take more than the limit.

    Dictionaries stay dictionaries while they are counted, and other columns are read in small batches.
    """
    size = path.stat().st_size
    limit = max(UNPACKED, MULTIPLE * size)
    with pq.ParquetFile(path) as plain:
        schema, facts = plain.schema_arrow, plain.metadata
        wanted = schema.names if columns is None else columns
        stated = check_stated(path, facts, set(wanted), limit)
    texts = {field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)}
    with pq.ParquetFile(path, read_dictionary=sorted(texts & stated.dictionaries)) as file:
        rows = max(1, min(BATCH, limit // max(1, stated.largest)))
        batches = list(_counted(path, file.iter_batches(rows, columns=columns), limit))
        found = pa.Table.from_batches(batches) if batches else file.schema_arrow.empty_table().select(wanted)
    written = [plain_column(column) for column in found.columns]
    return pa.table(written, names=found.column_names, metadata=schema.metadata)


class Stated(NamedTuple):
    """What a Parquet file states of its columns."""

    largest: int  # bytes of a chunk of a column, unpacked
    dictionaries: set[str]  # columns that are kept as numbers in a dictionary


def check_stated(path: Path, facts: pq.FileMetaData, wanted: set[str], limit: int) -> Stated:
    """Return what a file states of the wanted columns; raise MetaglotError where it is too much."""
    if facts.num_rows > ROWS:
        raise MetaglotError(f"{path}: it states {facts.num_rows:,} rows, above the limit of {ROWS:,}. {WAY_OUT}")
    total = largest = 0
    packed: set[str] = set()
    other: set[str] = set()
    for i in range(facts.num_row_groups):
        group = facts.row_group(i)
        for j in range(group.num_columns):
            chunk = group.column(j)
            name = chunk.path_in_schema.split(".")[0]
            if name in wanted:
                (packed if "RLE_DICTIONARY" in chunk.encodings else other).add(name)
                other |= {name} if "DELTA_BYTE_ARRAY" in chunk.encodings else set()
                total += chunk.total_uncompressed_size
                largest = max(largest, chunk.total_uncompressed_size)
    if total > limit:
        raise _too_large(path, limit)
    return Stated(largest, packed - other)


def check_table(source: object, table: pa.Table, size: int) -> None:
    """Raise MetaglotError where a table becomes more than the limit of a file of `size` bytes, or has too many rows."""
    limit = max(UNPACKED, MULTIPLE * size)
    if table.num_rows > ROWS:
        raise MetaglotError(f"{source}: it states {table.num_rows:,} rows, above the limit of {ROWS:,}. {WAY_OUT}")
    if sum(bytes_of(column) for column in table.columns) > limit:
        raise _too_large(source, limit)


def bytes_of(column: pa.ChunkedArray) -> int:
    """Return the bytes that a column takes once dictionaries and views are written out."""
    return sum(_bytes(chunk) for chunk in column.chunks)


def plain_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column with its dictionary written out."""
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _bytes(array: pa.Array) -> int:
    if pa.types.is_dictionary(array.type):
        values = array.dictionary
        if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
            return len(array) * 16
        lengths = compute.binary_length(values)
        return int(compute.sum(lengths.take(array.indices)).as_py() or 0) + 8 * len(array)
    if pa.types.is_string_view(array.type) or pa.types.is_binary_view(array.type):
        return int(compute.sum(compute.binary_length(array.cast(pa.binary_view()))).as_py() or 0) + 8 * len(array)
    return array.nbytes + len(array) // 8


def _counted(path: Path, batches: Iterable[pa.RecordBatch], limit: int) -> Iterator[pa.RecordBatch]:
    total = rows = 0
    for batch in batches:
        total += sum(_bytes(column) for column in batch.columns)
        rows += batch.num_rows
        if total > limit or rows > ROWS:
            raise _too_large(path, limit)
        yield batch


def _too_large(source: object, limit: int) -> MetaglotError:
    return MetaglotError(f"{source}: it unpacks to more than {limit >> 20:,} MiB, the limit for its size. {WAY_OUT}")
