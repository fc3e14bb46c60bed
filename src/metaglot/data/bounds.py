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
PIECE = 4 << 20  # bytes of texts that are read at a time
BUFFER = 1 << 20  # bytes of a file that are read ahead for each column
compute = cast("Any", pyarrow.compute)  # its stubs lack the functions
WAY_OUT = "If you trust it, write it again as jsonl or csv, in parts, and name these."


def bounded_parquet(path: Path, columns: list[str] | None) -> pa.Table:
    """Return columns of a Parquet file; raise MetaglotError where they take more than the limit.

    Dictionaries stay dictionaries while they are counted; columns of values that share prefixes are read in batches.
    """
    limit = max(UNPACKED, MULTIPLE * path.stat().st_size)
    with pq.ParquetFile(path) as plain:
        schema, facts = plain.schema_arrow, plain.metadata
    wanted = schema.names if columns is None else columns
    stated = check_stated(path, facts, set(wanted), limit)
    texts = {field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)}
    with pq.ParquetFile(path, read_dictionary=sorted(texts & stated.dictionaries)) as file:
        whole = [name for name in wanted if name not in stated.prefixed]
        table = file.read(whole)
        budget = limit - sum(bytes_of(column) for column in table.columns)
        if budget < 0:
            raise _too_large(path, limit)
        rows = max(1, min(BATCH, limit // max(1, stated.largest)))
        parts = [name for name in wanted if name in stated.prefixed]
        batches = list(_counted(path, file.iter_batches(rows, columns=parts), budget, limit)) if parts else []
        prefixed = pa.Table.from_batches(batches) if batches else file.schema_arrow.empty_table().select(parts)
    by_name = {name: plain_column((table if name in whole else prefixed).column(name)) for name in wanted}
    return pa.table(by_name, metadata=schema.metadata)


def parquet_pieces(path: Path, columns: list[str]) -> Iterator[pa.Table]:
    """Yield columns of a Parquet file, about PIECE bytes at a time; raises as `bounded_parquet` does."""
    limit = max(UNPACKED, MULTIPLE * path.stat().st_size)
    with pq.ParquetFile(path, buffer_size=BUFFER, pre_buffer=False) as file:
        check_stated(path, file.metadata, set(columns), limit)
        size = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
        rows = max(1, min(BATCH, file.metadata.num_rows * PIECE // max(1, size)))
        for batch in _counted(path, file.iter_batches(rows, columns=columns), limit, limit):
            yield pa.Table.from_batches([batch])


class Stated(NamedTuple):
    """What a Parquet file states of its columns."""

    largest: int  # bytes of a chunk of a prefixed column, unpacked
    dictionaries: set[str]  # columns that are kept as numbers in a dictionary
    prefixed: set[str]  # columns whose values may begin with a part of the one before


def check_stated(path: Path, facts: pq.FileMetaData, columns: set[str], limit: int) -> Stated:
    """Return what a file states of the wanted columns; raise MetaglotError where it is too much."""
    if facts.num_rows > ROWS:
        raise MetaglotError(f"{path}: it states {facts.num_rows:,} rows, above the limit of {ROWS:,}. {WAY_OUT}")
    total = largest = 0
    packed: set[str] = set()
    other: set[str] = set()
    prefixed: set[str] = set()
    for i in range(facts.num_row_groups):
        group = facts.row_group(i)
        for j in range(group.num_columns):
            chunk = group.column(j)
            name = chunk.path_in_schema.split(".")[0]
            if name in columns:
                (packed if "RLE_DICTIONARY" in chunk.encodings else other).add(name)
                total += chunk.total_uncompressed_size
                if "DELTA_BYTE_ARRAY" in chunk.encodings:
                    prefixed.add(name)
                    largest = max(largest, chunk.total_uncompressed_size)
    if total > limit:
        raise _too_large(path, limit)
    return Stated(largest, packed - other - prefixed, prefixed)


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


def _counted(path: Path, batches: Iterable[pa.RecordBatch], budget: int, limit: int) -> Iterator[pa.RecordBatch]:
    """Give the batches while they fit into the bytes that are left of the limit."""
    rows = 0
    for batch in batches:
        budget -= sum(_bytes(column) for column in batch.columns)
        rows += batch.num_rows
        if budget < 0 or rows > ROWS:
            raise _too_large(path, limit)
        yield batch


def _too_large(source: object, limit: int) -> MetaglotError:
    return MetaglotError(f"{source}: it unpacks to more than {limit >> 20:,} MiB, the limit for its size. {WAY_OUT}")
