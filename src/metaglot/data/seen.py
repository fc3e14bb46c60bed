"""What a run was meta-trained on, kept as hashes: `seen/` in its directory.

`hashes.safetensors` holds the marks of every training text (`data.minhash`), `sets.json` the names of the sets and of
their classes.  No text can be read back from them.  A shrunk run keeps the hashes of whole texts alone, eight bytes a
text: exact copies are found by them, edited ones are not.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pyarrow as pa
from pydantic import Field
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from metaglot.data.cache import atomic_file, write_whole
from metaglot.data.checked import Stored, read_stored, sealed
from metaglot.data.folding import folded_rows
from metaglot.data.manifest import sha256_of
from metaglot.data.minhash import (
    FUNCTIONS,
    U64,
    Ints,
    Marks,
    Signatures,
    equal_pairs,
    joined,
    marks_of,
    near_pairs,
    take,
)
from metaglot.data.modes import usual_mode
from metaglot.data.rawfiles import is_there
from metaglot.data.spool import taken
from metaglot.data.weightfiles import check_entries
from metaglot.errors import MetaglotError

FOLDER, HASHES, SETS = "seen", "hashes.safetensors", "sets.json"
CHUNK = 1 << 13  # texts that are read at a time
FORMAT = 1  # a change of folding, shingles or hash functions counts it up

WAY_OUT = "`metaglot pretrain … --resume` writes it anew"


class _Written(Stored):
    """The number of the format."""

    format: int


class _Set(Stored):
    """A training set."""

    name: str
    texts: int = Field(ge=0)
    labels: list[str]


class _Plain(_Written):
    """What `sets.json` holds."""

    near: bool = True
    sets: list[_Set]
    hashes_sha256: str = ""  # of the other file; absent in earlier versions


Bools = np.ndarray[Any, np.dtype[np.bool_]]


class Part(NamedTuple):
    """The rows of a canonical table that a run trains on, and the names of their classes."""

    name: str
    table: pa.Table
    rows: Ints
    labels: tuple[str, ...]


class SeenSet(NamedTuple):
    """A training set, without its texts."""

    name: str
    texts: int  # distinct after folding
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """The training texts of a run, as hashes."""

    sets: tuple[SeenSet, ...]
    marks: Marks  # of all sets, one after another
    near: bool = True  # whether the marks find edited copies too

    @property
    def texts(self) -> int:
        """How many texts there are, those of several sets counted for each."""
        return len(self.marks.exact)


class Found(NamedTuple):
    """Which of M rows stand among the training texts."""

    exact: Bools  # [M] after folding
    near: Bools  # [M] lightly edited, and not exact
    sets: Bools  # [M, sets] in which training sets

    @property
    def any(self) -> Bools:  # [M]
        """Rows that stand there either way."""
        return self.exact | self.near


def seen_of(parts: Sequence[Part]) -> Seen:
    """Return the hashes of the training rows; a text that a set repeats is kept once for the set."""
    sets: list[SeenSet] = []
    marks: list[Marks] = []
    for part in parts:
        part_marks = _marks_of(part)
        distinct = take(part_marks, np.sort(np.unique(part_marks.exact, return_index=True)[1]))
        sets.append(SeenSet(part.name, len(distinct.exact), part.labels))
        marks.append(distinct)
    return Seen(tuple(sets), joined(marks))


def _marks_of(part: Part) -> Marks:
    """Return the marks of the texts of a part, which are read CHUNK at a time."""
    chosen = part.table.select([n for n in ("text", "text_pair") if n in part.table.column_names])
    chunks = [part.rows[start : start + CHUNK] for start in range(0, len(part.rows), CHUNK)] or [part.rows]
    tables = (pa.table({n: taken(chosen[n], rows) for n in chosen.column_names}) for rows in chunks)
    return joined([marks_of(folded_rows(table)) for table in tables])


def merged(several: Sequence[Seen]) -> Seen:
    """Return what several runs have seen as one; a set that two of them have with the same texts is kept once."""
    sets: list[SeenSet] = []
    marks: list[Marks] = []
    kept: dict[tuple[str, bytes], None] = {}
    for seen in several:
        start = 0
        for one in seen.sets:
            own = take(seen.marks, np.arange(start, start + one.texts))
            start += one.texts
            key = (one.name, np.sort(own.exact).tobytes())
            if key not in kept:
                kept[key] = None
                sets.append(one)
                marks.append(own)
    return Seen(tuple(sets), joined(marks), all(seen.near for seen in several))


def whole_texts(seen: Seen) -> Seen:
    """Return the hashes of whole texts alone, which find exact copies and no edited ones."""
    return Seen(seen.sets, _unsigned(seen.marks.exact), near=False)


def write_seen(run: Path, seen: Seen) -> None:
    """Write `seen/` into a run directory, whole or not at all; what stood there is replaced."""
    folder = run / FOLDER
    plain: dict[str, Any] = {"format": FORMAT, "near": seen.near, "sets": [one._asdict() for one in seen.sets]}
    (folder / SETS).unlink(missing_ok=True)
    with atomic_file(folder / HASHES) as part, usual_mode(part):
        save_file(_arrays(seen.marks) if seen.near else {"exact": seen.marks.exact}, part)
    plain["hashes_sha256"] = sha256_of(folder / HASHES)
    write_whole(folder / SETS, json.dumps(sealed(plain), indent=1, ensure_ascii=False) + "\n")


def read_seen(run: str | Path) -> Seen | None:
    """Return the hashes that a run directory keeps, or None where it keeps none.

    Raises MetaglotError where they are damaged or of another version.
    """
    folder = Path(run) / FOLDER
    if not is_there(folder / SETS):
        return None
    check_entries(folder)
    version = read_stored(folder / SETS, _Written, WAY_OUT).format
    if version != FORMAT:
        raise MetaglotError(_mend(folder, f"of format {version}, and this version reads {FORMAT}"))
    plain = read_stored(folder / SETS, _Plain, WAY_OUT)
    sets = tuple(SeenSet(one.name, one.texts, tuple(one.labels)) for one in plain.sets)
    try:
        if plain.hashes_sha256 and sha256_of(folder / HASHES) != plain.hashes_sha256:
            raise ValueError(f"{HASHES} is not what was written with {SETS}: its SHA-256 does not fit")
        arrays = load_file(folder / HASHES)
        _check_arrays(arrays, sum(one.texts for one in sets), near=plain.near)
    except (OSError, ValueError, SafetensorError) as error:
        raise MetaglotError(_mend(folder, f"damaged ({error})")) from error
    return Seen(sets, _marks(arrays) if plain.near else _unsigned(arrays["exact"]), plain.near)


def find_seen(seen: Seen, table: pa.Table) -> Found:
    """Return which rows of a canonical table stand among the training texts; a pair counts as a whole."""
    asked = marks_of(folded_rows(table))
    owner = np.repeat(np.arange(len(seen.sets)), [one.texts for one in seen.sets])
    sets = np.zeros((table.num_rows, len(seen.sets)), bool)
    for rows, texts in equal_pairs(asked.exact, seen.marks.exact):
        sets[rows, owner[texts]] = True
    exact = np.logical_or.reduce(sets, axis=1)
    for rows, texts in near_pairs(asked, seen.marks):
        sets[rows, owner[texts]] = True
    return Found(exact, np.logical_or.reduce(sets, axis=1) & ~exact, sets)


def _arrays(marks: Marks) -> dict[str, np.ndarray]:
    return {
        "exact": marks.exact,
        "words": marks.words.astype(np.int32),
        "short.rows": marks.short.rows.astype(np.int32),
        "short.values": marks.short.values,
        "long.rows": marks.long.rows.astype(np.int32),
        "long.values": marks.long.values,
    }


def _marks(arrays: Mapping[str, np.ndarray]) -> Marks:
    short, long = (
        Signatures(cast("Ints", arrays[f"{kind}.rows"].astype(np.int64)), arrays[f"{kind}.values"])
        for kind in ("short", "long")
    )
    return Marks(arrays["exact"], cast("Ints", arrays["words"].astype(np.int64)), short, long)


def _check_arrays(arrays: Mapping[str, np.ndarray], texts: int, *, near: bool) -> None:
    """Raise ValueError unless the arrays are those of so many texts."""
    wanted = ("exact", "words", *(f"{kind}.{part}" for kind in ("short", "long") for part in ("rows", "values")))
    if absent := [name for name in (wanted if near else wanted[:1]) if name not in arrays]:
        raise ValueError(f"there is no array {absent[0]!r}")
    exact = arrays["exact"]
    if exact.dtype != np.uint64 or exact.shape != (texts,):
        raise ValueError(f"the two files do not fit: {texts} texts, and hashes of the shape {exact.shape}")
    if not near:
        return
    if arrays["words"].dtype != np.int32 or arrays["words"].shape != (texts,):
        raise ValueError("the numbers of words do not fit the texts")
    for kind in ("short", "long"):
        rows, values = arrays[f"{kind}.rows"], arrays[f"{kind}.values"]
        whole = rows.dtype == np.int32 and rows.ndim == 1 and values.dtype == np.uint8
        if not whole or values.shape != (len(rows), FUNCTIONS) or ((rows < 0) | (rows >= texts)).any():
            raise ValueError(f"the signatures of {kind} texts do not fit the texts")


def _unsigned(exact: U64) -> Marks:
    """Return marks without signatures, of texts whose hashes alone are known."""
    none = Signatures(np.zeros(0, np.int64), np.zeros((0, FUNCTIONS), np.uint8))
    return Marks(exact, np.zeros(len(exact), np.int64), none, none)


def _mend(folder: Path, what: str) -> str:
    return f"{folder}: the hashes of the training texts are {what}; `metaglot pretrain … --resume` writes them anew"
