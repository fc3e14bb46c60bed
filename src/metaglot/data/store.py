"""Texts tokenised once, in a memory-mapped Arrow file under a content hash, reused by every later run."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pyarrow as pa

from metaglot.data.building import building
from metaglot.data.cache import atomic_file, cache_dir, data_dir
from metaglot.data.encode import LEAST, Encoder
from metaglot.data.fingerprint import fingerprint
from metaglot.data.sealed import open_sealed, sealed_writer
from metaglot.errors import MetaglotError

__all__ = ["TextSet", "cache_dir", "data_dir", "tokenise"]

FORMAT = 1  # of the files; a change of layout counts it up
BATCH = 4096  # rows tokenised at a time, and in one record batch
CHARS = 16  # a text is cut to this many characters for each token allowed, before it is tokenised


class _Chunk(NamedTuple):
    """Numpy views of one record batch."""

    offsets: np.ndarray  # [rows + 1]
    ids: np.ndarray  # [tokens]
    types: np.ndarray | None  # [tokens]
    label: np.ndarray  # [rows]
    row: np.ndarray  # [rows]


@dataclass(frozen=True)
class TextSet:
    """A tokenised data set, memory-mapped."""

    name: str
    table: pa.Table  # input_ids list<int32>, label int32 (-1: none), domain, lang, split (dictionary), row int64
    labels: tuple[str, ...]  # sorted; `label` counts in it
    fingerprint: str  # hex, of the content, the tokenizer and the maximum length
    path: Path

    def __len__(self) -> int:
        return self.table.num_rows

    def rows(self, indices: Sequence[int] | np.ndarray) -> list[dict[str, Any]]:
        """Return examples by position: input_ids [T], token_type_ids [T] if the set has them, label, row.

        Arrays are copies (int64).  Raises IndexError beyond the end.
        """
        chunks, size = self._chunks, BATCH
        rows_read: list[dict[str, Any]] = []
        for index in np.asarray(indices, dtype=np.int64).tolist():
            if not 0 <= index < self.table.num_rows:
                raise IndexError(f"row {index} of {self.table.num_rows} in {self.name}")
            chunk = chunks[index // size]
            at = index % size
            span = slice(chunk.offsets[at], chunk.offsets[at + 1])
            one: dict[str, Any] = {"input_ids": chunk.ids[span].astype(np.int64)}
            if chunk.types is not None:
                one["token_type_ids"] = chunk.types[span].astype(np.int64)
            one["label"], one["row"] = int(chunk.label[at]), int(chunk.row[at])
            rows_read.append(one)
        return rows_read

    @cached_property
    def _chunks(self) -> list[_Chunk]:
        return [_views(batch) for batch in self.table.to_batches()]


def tokenise(
    table: pa.Table,
    tokenizer: Any,
    *,
    name: str,
    max_length: int,
    prompt: str = "",
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TextSet:
    """Return the canonical `table` tokenised, from the cache if this content was tokenised before.

    `prompt` stands before every text, and a text is cut to `max_length` tokens with it.  `progress(done, total)` counts
    rows.  A damaged cache file is made anew; of two processes that want the same one, one waits for the other.  Raises
    MetaglotError for a slow tokenizer.
    """
    if max_length < LEAST:
        raise MetaglotError(f"max_length is {max_length}; a text needs at least {LEAST} tokens.")
    encoder = Encoder(tokenizer, max_length=max_length, max_chars=CHARS * max_length, prompt=prompt)
    key = fingerprint(table, encoder.fingerprint(), str(max_length), str(FORMAT))
    path = (cache or cache_dir() / "tokens") / f"{key}.arrow"
    mapped = _open(path, key, table.num_rows)
    if mapped is None:
        with building(path):
            mapped = _open(path, key, table.num_rows)
            if mapped is None:
                with atomic_file(path) as part:
                    _write(part, key, table, encoder, progress)
                mapped = _open(path, key, table.num_rows)
    if mapped is None:
        raise MetaglotError(f"{path}: what was just written reads back damaged. Check the disk, or set METAGLOT_CACHE.")
    labels = cast("dict[bytes, bytes]", mapped.schema.metadata)[b"labels"]
    return TextSet(name=name, table=mapped, labels=tuple(json.loads(labels)), fingerprint=key, path=path)


def _open(path: Path, key: str, rows: int) -> pa.Table | None:
    """Return the file memory-mapped, or None where it is absent or damaged."""
    content = open_sealed(path)
    if content is None:
        return None
    table = pa.ipc.open_file(content).read_all()
    meta = cast("dict[bytes, bytes]", table.schema.metadata or {})
    return table if meta.get(b"key") == key.encode() and table.num_rows == rows else None


def _write(
    path: Path, key: str, table: pa.Table, encoder: Encoder, progress: Callable[[int, int], None] | None
) -> None:
    labels = _labels(table)
    columns = _plain_columns(table, labels)
    fields = [("input_ids", pa.list_(pa.int32()))]
    if _pairs(table) is not None and encoder.types_matter:
        fields.append(("token_type_ids", pa.list_(pa.int8())))
    fields += [(name, column.type) for name, column in columns.items()]
    schema = pa.schema(fields).with_metadata({"key": key, "labels": json.dumps(labels), "format": str(FORMAT)})
    with sealed_writer(path) as sink, pa.ipc.new_file(sink, schema) as writer:
        done = 0
        for encoded in _encoded(table, encoder):
            size = len(encoded["input_ids"])
            arrays = {**encoded, **{n: c.slice(done, size) for n, c in columns.items()}}
            batch = pa.record_batch([arrays[field] for field, _ in fields], schema=schema)
            writer.write_batch(batch)
            done += size
            if progress is not None:
                progress(done, table.num_rows)


def _encoded(table: pa.Table, encoder: Encoder) -> Iterator[dict[str, pa.Array]]:
    pairs = _pairs(table)
    for start in range(0, table.num_rows, BATCH):
        texts = cast("list[str]", table["text"].slice(start, BATCH).to_pylist())
        others = None if pairs is None else cast("list[str | None]", pairs.slice(start, BATCH).to_pylist())
        yield encoder.encode(texts, others)


def _pairs(table: pa.Table) -> pa.ChunkedArray | None:
    column = table["text_pair"] if "text_pair" in table.column_names else None
    return column if column is not None and column.null_count < len(column) else None


def _labels(table: pa.Table) -> list[str]:
    column = table["label"] if "label" in table.column_names else pa.chunked_array([], pa.string())
    return sorted(cast("list[str]", column.unique().drop_null().to_pylist()))


def _plain_columns(table: pa.Table, labels: list[str]) -> dict[str, pa.Array]:
    """Return label, domain, lang, split and row as whole arrays (one dictionary each for the whole file)."""
    none = pa.nulls(table.num_rows, pa.string())
    whole = {n: _one(table[n]) if n in table.column_names else none for n in ("label", "domain", "lang", "split")}
    number = {name: i for i, name in enumerate(labels)}
    label = pa.array([-1 if v is None else number[v] for v in whole["label"].to_pylist()], pa.int32())
    words = {n: whole[n].dictionary_encode() for n in ("domain", "lang", "split")}
    return {"label": label, **words, "row": _one(table["row"])}


def _one(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else combined.chunk(0)


def _views(batch: pa.RecordBatch) -> _Chunk:
    ids = cast("pa.ListArray", batch.column("input_ids"))
    types = cast("pa.ListArray", batch.column("token_type_ids")) if "token_type_ids" in batch.schema.names else None
    return _Chunk(
        offsets=ids.offsets.to_numpy(),
        ids=ids.values.to_numpy(zero_copy_only=True),
        types=None if types is None else types.values.to_numpy(zero_copy_only=True),
        label=batch.column("label").to_numpy(),
        row=batch.column("row").to_numpy(),
    )
