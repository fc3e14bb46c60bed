"""Tables of many texts, held in a file without a name that is mapped into memory.

What a process maps is read when it is looked at, and let go where memory is short.  The file lies in the folder of the
cache, since that for temporary files may itself be memory, and has no name, so that nothing stays of it however a
process ends.
"""

import mmap
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import cast, overload

import numpy as np
import pyarrow as pa

from metaglot.data.cache import cache_dir, make_folder
from metaglot.errors import MetaglotError

AT_ONCE = 1 << 11  # strings that are Python's
IN_MEMORY = 8 << 20  # bytes of a table that needs no file


def spooled(pieces: Iterable[pa.Table]) -> pa.Table:
    """Return the pieces, one at least and all with the same columns, as one table; a large one lies in a file."""
    rest, first, size = iter(pieces), list[pa.Table](), 0
    for piece in rest:
        first.append(piece)
        size += piece.nbytes
        if size > IN_MEMORY:
            return _mapped(chain(first, rest))
    return pa.concat_tables(first)


def kept(table: pa.Table, keep: np.ndarray) -> pa.Table:
    """Return the rows to keep [N] bool, read piece by piece; nothing is copied where all are kept."""
    return table if keep.all() else spooled(_kept(table, keep))


def taken(column: pa.ChunkedArray, rows: np.ndarray) -> pa.ChunkedArray:
    """Return the values at `rows`, in their order: Arrow's own `take` first joins all chunks of a column."""
    ends = np.cumsum([len(chunk) for chunk in column.chunks])
    at = np.searchsorted(ends, rows, "right")
    parts: list[pa.Array] = []
    for own in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(at)) + 1) if len(rows) else ():
        chunk, begin = column.chunk(int(at[own[0]])), int(ends[at[own[0]]])
        parts.append(chunk.take(pa.array(rows[own] - begin + len(chunk))))
    return pa.chunked_array(parts, column.type)


class Strings(Sequence[str]):
    """A column of strings as a sequence that holds only some of them at a time in Python."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self.column = column

    def __len__(self) -> int:
        return len(self.column)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> "list[str]": ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        return cast("str | list[str]", self.column[index].as_py() if isinstance(index, int) else self._listed(index))

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self.column), AT_ONCE):
            yield from cast("list[str]", self.column.slice(start, AT_ONCE).to_pylist())

    def _listed(self, index: slice) -> list[str]:
        return [self[i] for i in range(len(self))[index]]


def _kept(table: pa.Table, keep: np.ndarray) -> Iterator[pa.Table]:
    start = 0
    yield table.slice(0, 0)
    for batch in table.to_batches():
        yield pa.Table.from_batches([batch]).filter(pa.array(keep[start : start + len(batch)]))
        start += len(batch)


def _mapped(pieces: Iterator[pa.Table]) -> pa.Table:
    folder = cache_dir() / "texts"
    make_folder(folder)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            first = next(pieces)
            with pa.ipc.new_file(file, first.schema) as writer:
                for piece in chain([first], pieces):
                    writer.write_table(piece)
            file.flush()
            whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise MetaglotError(
            f"{folder}: texts cannot be written: {error.strerror or error}. Free some space, or set METAGLOT_CACHE."
        ) from error
    return pa.ipc.open_file(pa.py_buffer(whole)).read_all()
