"""The content hash of a table: the same for the same rows, however they are chunked in memory."""

import hashlib
from collections.abc import Iterator
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

COLUMNS = ("text", "text_pair", "label", "domain", "lang", "split", "row")


def fingerprint(table: pa.Table, *more: str) -> str:
    """Return 32 hex digits for the canonical columns of `table` and the strings in `more`."""
    digest = hashlib.blake2b(repr(more).encode(), digest_size=16)
    for name in COLUMNS:
        column = table[name] if name in table.column_names else None
        if column is None or column.null_count == len(column) > 0:
            continue
        digest.update(f"\0{name}\0{len(column)}".encode())
        if pa.types.is_integer(column.type):
            digest.update(np.ascontiguousarray(column.to_numpy(), np.int64).tobytes())
        else:
            for part in _strings(column):
                digest.update(part)
    return digest.hexdigest()


def _strings(column: pa.ChunkedArray) -> Iterator[bytes]:
    """Yield lengths in bytes (-1 for null), then the bytes."""
    lengths = cast("pa.ChunkedArray", pc.call_function("binary_length", [column])).fill_null(-1)
    yield np.ascontiguousarray(lengths.to_numpy(), np.int64).tobytes()
    for chunk in column.chunks:
        plain = chunk.cast(pa.string()).fill_null("")
        offsets = np.frombuffer(plain.buffers()[1], np.int32)[plain.offset : plain.offset + len(plain) + 1]
        data = plain.buffers()[2]
        if data is not None and len(plain):
            yield memoryview(data)[int(offsets[0]) : int(offsets[-1])].tobytes()
