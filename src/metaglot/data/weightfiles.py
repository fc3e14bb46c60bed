"""The files of a model's folder, checked before anything reads them: kinds, sizes, headers and the numbers of a config.

A pipe or a device in a folder never ends, and a number that a file states is not believed where it decides how much
memory is taken or how long it lasts.
"""

import json
import os
import stat
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, cast

from metaglot.data.checked import Stored, read_stored
from metaglot.data.jsonfile import read_json
from metaglot.data.rawfiles import KINDS, is_there, unreadable
from metaglot.errors import MetaglotError

PICKLED = {".bin", ".pt", ".pth", ".ckpt"}
INDEX = "model.safetensors.index.json"
HEADER = 32 << 20  # bytes of a header: 100 for each of 300,000 tensors
PLAIN = 512 << 20  # bytes of a tokenizer's file
ENTRIES = 10_000  # files of a folder
LAYERS = 256  # that a config may state whatever the weights hold
NUMBER = 10_000_000  # of anything else that a config counts: labels, experts, buckets
WAY_OUT = "copy or download the model again"


class _Index(Stored):
    """Which file holds which weight."""

    weight_map: dict[str, str]


def check_weights(path: Path) -> None:
    """Raise MetaglotError unless a folder holds whole weights as safetensors, and files alone that can be read."""
    check_entries(path)
    files = sorted(path.glob("*.safetensors"))
    tensors = 0
    for file in files:
        try:
            tensors += len(_header(file))
        except ValueError as damage:
            raise MetaglotError(f"{path}: the weights are damaged ({file.name}: {damage}); {WAY_OUT}") from damage
    pickled = sorted(p.name for p in path.iterdir() if p.suffix in PICKLED)
    if pickled and not files:
        raise MetaglotError(
            f"{path}: only pickled weights ({', '.join(pickled)}), which can run code when read; convert them on a "
            "machine you trust: transformers' model.save_pretrained(folder) writes model.safetensors"
        )
    if not files:
        raise MetaglotError(f"{path}: no *.safetensors weights there")
    _check_index(path, {file.name for file in files})
    _check_config(path, tensors)


def check_entries(folder: Path) -> None:
    """Raise MetaglotError where something right in a folder is no file and no folder, or too large to be read."""
    try:
        paths = list(islice(folder.iterdir(), ENTRIES + 1))
    except OSError as error:
        raise MetaglotError(unreadable(folder, error)) from error
    for number, path in enumerate(paths):
        if number >= ENTRIES:
            raise MetaglotError(f"{folder}: more than {ENTRIES:,} files; name the folder that holds the model alone")
        try:
            status = os.stat(path)
        except OSError:  # a link to nowhere: whoever needs the file says that it is not there
            continue
        kind = stat.S_IFMT(status.st_mode)
        if kind not in (stat.S_IFREG, stat.S_IFDIR):
            what = KINDS.get(kind, "no regular file")
            raise MetaglotError(f"{path}: cannot be read: {what}, not a file; remove it from the folder")
        plain = path.suffix in (".json", ".txt", ".model", ".tiktoken", ".jinja")
        if plain and kind == stat.S_IFREG and status.st_size > PLAIN:
            raise MetaglotError(f"{path}: {status.st_size:,} bytes, above the limit of {PLAIN >> 20} MiB; {WAY_OUT}")


def damage_of(file: Path) -> str | None:
    """Return what is wrong with a safetensors file, from its header and size alone; None if nothing is."""
    try:
        _header(file)
    except ValueError as damage:
        return str(damage)
    return None


def _header(file: Path) -> Mapping[str, object]:
    """Return the entries of a safetensors file; raise ValueError that says what is wrong with header or size.

    Eight bytes of length, that many of JSON, then the tensors: https://github.com/huggingface/safetensors#format
    """
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"it is {KINDS.get(stat.S_IFMT(status.st_mode), 'no regular file')}, not a file")
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if status.st_size < 8 or length > status.st_size - 8:
                raise ValueError(f"no header, in {status.st_size:,} bytes")
            if length > HEADER:
                raise ValueError(f"a header of {length:,} bytes, above the limit of {HEADER >> 20} MiB")
            raw = opened.read(length)
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    try:
        header: object = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ValueError("a header that cannot be read") from error
    ends = _ends(cast("Mapping[str, object]", header)) if isinstance(header, dict) else None
    if ends is None:
        raise ValueError("a header that cannot be read")
    expected = 8 + length + max(ends, default=0)
    if status.st_size != expected:
        raise ValueError(f"{status.st_size:,} bytes where its header says {expected:,}")
    return cast("Mapping[str, object]", header)


def _ends(header: Mapping[str, object]) -> list[int] | None:
    ends: list[int] = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        offsets = cast("dict[str, object]", entry).get("data_offsets") if isinstance(entry, dict) else None
        end = cast("list[object]", offsets)[-1] if isinstance(offsets, list) and offsets else None
        if not isinstance(end, int):
            return None
        ends.append(end)
    return ends


def _check_index(folder: Path, files: set[str]) -> None:
    """Refuse an index that names anything but weight files right in the folder."""
    if not is_there(folder / INDEX):
        return
    named = set(read_stored(folder / INDEX, _Index, WAY_OUT).weight_map.values())
    if other := sorted(named - files):
        raise MetaglotError(f"{folder / INDEX}: it names {other[0]!r:.100}, which is no weight file there; {WAY_OUT}")


def _check_config(folder: Path, tensors: int) -> None:
    """Refuse a config that counts more layers than there are weights, or very many of anything else."""
    file = folder / "config.json"
    if not is_there(file):
        return
    try:
        config = read_json(file)
    except MetaglotError as error:
        raise MetaglotError(f"{folder}: cannot be loaded: {error}; {WAY_OUT}") from error
    most = max(LAYERS, tensors)
    for name, value in _numbers(config):
        limit = most if "layer" in name else NUMBER if name.startswith("num_") else None
        if limit is not None and value > limit:
            why = f", and the weights have {tensors:,} tensors" if "layer" in name else ""
            raise MetaglotError(f"{file}: {name} is {value:,}, above the limit of {limit:,}{why}; {WAY_OUT}")


def _numbers(config: object, depth: int = 0) -> Iterator[tuple[str, int]]:
    """Yield names and whole numbers of a config and of the configs within it."""
    if not isinstance(config, dict) or depth > 5:
        return
    for name, value in cast("dict[str, Any]", config).items():
        if type(value) is int:
            yield name, value
        else:
            yield from _numbers(value, depth + 1)
