"""`manifest.json`: the SHA-256 of each file of a folder, written with them, by which damage is found before it is used.

Folders from before there were manifests have none, and are read as they were then.  Hashing takes 0.6 s a GB
(SHA-256 in the processor's own instructions).
"""

import hashlib
import json
from collections.abc import Collection
from pathlib import Path

from metaglot.data.checked import Stored, read_stored
from metaglot.data.rawfiles import is_there
from metaglot.errors import MetaglotError

MANIFEST = "manifest.json"
FORMAT = 1


class _Written(Stored):
    """What a manifest holds."""

    format: int
    sha256: dict[str, str]  # by the name relative to the folder


def write_manifest(folder: Path) -> None:
    """Write the hashes of all files in a folder, and of those in folders within it."""
    hashes = {name: sha256_of(folder / name) for name in _names(folder)}
    text = json.dumps({"format": FORMAT, "sha256": hashes}, indent=1, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, "utf-8")


def damage_in(folder: Path, names: Collection[str] | None = None) -> str | None:
    """Return what is wrong in a folder by its manifest, of these files or of all; None also if it has none."""
    if not is_there(folder / MANIFEST):
        return None
    try:
        written = read_stored(folder / MANIFEST, _Written, "")
        if written.format != FORMAT:
            return f"{MANIFEST}: of format {written.format}, and this version reads {FORMAT}"
        wanted = written.sha256.keys() if names is None else names
        return next(
            (f"{name}: {why}" for name in wanted if (why := _wrong(folder / name, written.sha256.get(name)))), None
        )
    except MetaglotError as error:
        return str(error).removesuffix("; ")
    except OSError as error:
        return f"{error.filename}: {error.strerror}"


def check_whole(folder: Path, way_out: str, names: Collection[str] | None = None) -> None:
    """Raise MetaglotError, which ends with `way_out`, where a folder is damaged by its manifest."""
    if why := damage_in(folder, names):
        raise MetaglotError(f"{folder}: damaged ({why}); {way_out}")


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _wrong(file: Path, expected: str | None) -> str | None:
    if expected is None:
        return f"{MANIFEST} does not name it"
    if not file.is_file():
        return "it is not there"
    return None if sha256_of(file) == expected else "its SHA-256 is not the one that was written with it"


def _names(folder: Path) -> list[str]:
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return sorted(name for name in files if name != MANIFEST)
