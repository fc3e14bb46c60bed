"""Where metaglot keeps and finds files: the cache folder, the data folder, and atomic writes.

The one place outside `cli.py` and `config.py` that reads environment variables.
"""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from metaglot.data.flushing import flush, flush_all
from metaglot.data.parts import part_beside
from metaglot.data.rawfiles import expanded
from metaglot.data.replacing import replace_folder
from metaglot.errors import MetaglotError


def cache_dir() -> Path:
    """Return the cache folder: $METAGLOT_CACHE, else $XDG_CACHE_HOME/metaglot, else the platform's own."""
    if chosen := os.environ.get("METAGLOT_CACHE"):
        return expanded(chosen)
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return expanded(xdg) / "metaglot"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "metaglot"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "metaglot" / "cache"
    return Path.home() / ".cache" / "metaglot"


def data_dir() -> Path | None:
    """Return $METAGLOT_DATA, a folder of labelled sets, or None if it is not set."""
    chosen = os.environ.get("METAGLOT_DATA")
    return expanded(chosen) if chosen else None


@contextmanager
def atomic_file(target: Path) -> Generator[Path]:
    """Give a temporary path beside `target`; what the block wrote there becomes `target`, or nothing does.

    Two writers of the same target do not disturb each other: the last one to finish stands.  Raises MetaglotError
    where the system refuses, on a full disk for one; `target` is then what it was.
    """
    make_folder(target.parent)
    try:
        with part_beside(target) as part:
            yield part
            os.replace(part, target)
    except OSError as error:
        raise MetaglotError(
            f"{target}: cannot be written: {error.strerror or error}. Free some space, or choose another place."
        ) from error


def write_whole(target: Path, text: str, *, lasting: bool = False) -> None:
    """Write a text file wholly or not at all; raises as `atomic_file` does.

    A `lasting` one is on the disk before it stands, which takes 10 ms: for what cannot be made anew.
    """
    with atomic_file(target) as part:
        part.write_text(text, "utf-8")
        if lasting:
            flush(part)


@contextmanager
def atomic_folder(target: Path, *, replace: bool = False) -> Generator[Path]:
    """Give a temporary folder beside `target`; it becomes `target` when the block ends well, else it goes.

    Where another process made `target` meanwhile, that one stands, unless `replace` puts this one there.  Raises
    MetaglotError where the system refuses, on a full disk for one; nothing half-written stays.
    """
    make_folder(target.parent)
    try:
        with part_beside(target, folder=True) as part:
            yield part
            _share(part)
            flush_all(part)
            try:
                replace_folder(part, target) if replace else part.rename(target)
            except OSError:
                if not target.is_dir():
                    raise
            flush(target.parent)
    except OSError as error:
        raise MetaglotError(
            f"{target}: cannot be written: {error.strerror or error}. Free some space, or choose another place."
        ) from error


def make_folder(path: Path) -> None:
    """Make a folder and its parents; a MetaglotError says what is in the way."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MetaglotError(
            f"cannot make the folder {path}: {error.strerror}. Name one you may write to (the cache: METAGLOT_CACHE)."
        ) from error


def _share(folder: Path) -> None:
    """Give the files of a folder the rights of any new file: libraries that save models make private ones."""
    probe = folder / ".rights"
    probe.touch()
    mode = probe.stat().st_mode & 0o777
    probe.unlink()
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(mode)
