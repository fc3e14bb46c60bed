"""Files and folders while they are written: under a hidden name beside the real one, locked by their writer.

The lock goes with the process that holds it, however that ends.  So the next writer knows what a killed one left, and
removes it at once, and does not touch what another one still writes; no clock is asked, which may be wrong or jump.
"""

import os
import shutil
import sys
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from metaglot.data.replacing import ASIDE

ENDING = ".part"


@contextmanager
def part_beside(target: Path, *, folder: bool = False) -> Generator[Path]:
    """Give a new empty file or folder beside `target`, locked for the length of the block; at its end it goes.

    What killed writers of the same target left is removed first.  Raises OSError where nothing can be made there.
    """
    for left in parts_of(target):
        remove_abandoned(left)
    part, descriptor = _locked(target, folder=folder)
    try:
        yield part
    finally:
        if descriptor is not None:
            os.close(descriptor)
        _remove(part)


def parts_of(target: Path) -> list[Path]:
    """Return the parts beside `target`, whether somebody writes them or not."""
    begin, aside = f".{target.name}.", f".{target.name}{ASIDE}"
    with suppress(OSError):
        names = [name for name in os.listdir(target.parent) if name.startswith(begin) and name.endswith(ENDING)]
        return [target.with_name(name) for name in names if name != aside]
    return []


def remove_abandoned(part: Path, *, only_look: bool = False) -> bool:
    """Remove a part that nobody writes any more, and return whether there was one; False where none can tell."""
    descriptor = _opened(part)
    if descriptor is None:
        return False
    try:
        if _lock(descriptor) != "held":
            return False
        if not only_look:
            _remove(part)  # while it is locked, so that nobody begins to write it
        return True
    finally:
        os.close(descriptor)


def _locked(target: Path, *, folder: bool) -> tuple[Path, int | None]:
    """Return a new part and the descriptor that holds its lock, None where the system has no such locks."""
    while True:
        part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}{ENDING}")
        part.mkdir() if folder else part.touch()
        descriptor = _opened(part)
        if descriptor is None:
            if part.exists():
                return part, None
            continue
        lock = _lock(descriptor)
        if lock == "unknown":
            os.close(descriptor)
            return part, None
        if lock == "held" and part.exists() and os.path.samestat(os.fstat(descriptor), part.stat()):
            return part, descriptor
        os.close(descriptor)  # another writer took it for a leftover before it was locked, and removes it


def _opened(part: Path) -> int | None:
    if sys.platform == "win32":
        return None
    try:
        return os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None


def _lock(descriptor: int) -> Literal["held", "taken", "unknown"]:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "taken"
    except OSError:  # a file system that knows no locks
        return "unknown"
    return "held"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        path.unlink()
