"""Named numpy arrays in one memory-mapped Arrow file under a content hash, with a seal."""

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa

from metaglot.data.building import building
from metaglot.data.cache import atomic_file, cache_dir
from metaglot.data.sealed import open_sealed, sealed_writer
from metaglot.errors import MetaglotError

Put = Callable[[str, np.ndarray], None]
"""Writes an array under a name; the array may be let go afterwards."""

_SCHEMA = [("data", pa.large_binary())]


def cached_arrays(folder: str, key: str, make: Callable[[Put], None]) -> Mapping[str, np.ndarray]:
    """Return the arrays kept under `key` in a folder of the cache, read-only and memory-mapped.

    Where the file is absent or damaged, `make` writes them through the function it is given.  Of two processes that
    want the same ones, one waits for the other.  Raises MetaglotError where what was just written reads back damaged.
    """
    path = cache_dir() / folder / f"{key}.arrow"
    arrays = open_arrays(path, key)
    if arrays is None:
        with building(path):
            arrays = open_arrays(path, key)
            if arrays is None:
                with atomic_file(path) as part, array_writer(part, key) as put:
                    make(put)
                arrays = open_arrays(path, key)
    if arrays is None:
        raise MetaglotError(f"{path}: what was just written reads back damaged. Check the disk, or set METAGLOT_CACHE.")
    return arrays


@contextmanager
def array_writer(path: Path, key: str) -> Generator[Put]:
    """Give the function that adds an array to a new file; the file is whole when the block ends."""
    schema = pa.schema(_SCHEMA).with_metadata({"key": key})
    with sealed_writer(path) as sink, pa.ipc.new_file(sink, schema) as writer:

        def put(name: str, array: np.ndarray) -> None:
            data = _bytes(array)
            offsets = pa.py_buffer(np.array([0, data.size], np.int64))
            column = pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, pa.py_buffer(data)])
            noted = {"name": name, "dtype": array.dtype.str, "shape": json.dumps(array.shape)}
            batch = pa.record_batch([column], schema=schema)
            writer.write_batch(batch, custom_metadata=noted)

        yield put


def open_arrays(path: Path, key: str) -> dict[str, np.ndarray] | None:
    """Return the arrays of a file, memory-mapped, or None where it is absent, damaged or of another key."""
    content = open_sealed(path)
    if content is None:
        return None
    reader = pa.ipc.open_file(content)
    if cast("dict[bytes, bytes]", reader.schema.metadata or {}).get(b"key") != key.encode():
        return None
    arrays: dict[str, np.ndarray] = {}
    for i in range(reader.num_record_batches):
        batch, noted = reader.get_batch_with_custom_metadata(i)
        noted = cast("Mapping[bytes, bytes]", noted)
        arrays[noted[b"name"].decode()] = _view(batch, noted)
    return arrays


def parts_of(arrays: Mapping[str, np.ndarray], name: str) -> list[np.ndarray]:
    """Return the arrays that were put as name/0, name/1, …"""
    count = sum(one.startswith(f"{name}/") for one in arrays)
    return [arrays[f"{name}/{i}"] for i in range(count)]


def _view(batch: pa.RecordBatch, noted: Mapping[bytes, bytes]) -> np.ndarray:
    data = cast("pa.Buffer | None", batch.column(0).buffers()[2])
    raw = np.frombuffer(b"" if data is None else data, np.uint8)
    length = int(np.frombuffer(batch.column(0).buffers()[1], np.int64)[1])
    shape = tuple(int(n) for n in json.loads(noted[b"shape"]))
    array = raw[:length].view(np.dtype(noted[b"dtype"].decode())).reshape(shape)
    array.setflags(write=False)  # an empty one would not be
    return array


def _bytes(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)
