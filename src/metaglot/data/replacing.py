"""A folder put in the place of another, so that a kill at any moment leaves the old one or the new one, whole.

Linux and most of its file systems exchange two names at once (renameat2 with RENAME_EXCHANGE,
https://man7.org/linux/man-pages/man2/rename.2.html).  Elsewhere the old folder is renamed first; a kill before the new
one stands leaves it under a hidden name, and `recovered` gives it its own name back when the folder is next looked for.
"""

import ctypes
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

HERE = -100  # AT_FDCWD: paths are relative to the folder one stands in
EXCHANGE = 2  # RENAME_EXCHANGE
ASIDE = ".before.part"


def replace_folder(new: Path, target: Path) -> None:
    """Rename the folder `new` to `target`; what stood there goes only once the new one stands.

    Raises OSError, with `target` as it was, where the system refuses.
    """
    if not os.path.lexists(target):
        new.rename(target)
        return
    if exchanged(new, target):
        shutil.rmtree(new, ignore_errors=True)  # by now it is what stood there before
        return
    aside = _aside(target)
    shutil.rmtree(aside, ignore_errors=True)
    target.rename(aside)
    try:
        new.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def recovered(target: Path) -> Path:
    """Return `target`, put back under its name where a kill left it under the hidden one."""
    target = Path(target)
    if target.name:
        with suppress(OSError, ValueError):
            if not os.path.lexists(target) and _aside(target).is_dir():
                _aside(target).rename(target)
    return target


def exchanged(one: Path, other: Path) -> bool:
    """Exchange two names at once, and return whether the system did it."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):  # an old C library
        return False
    return call(HERE, os.fsencode(one), HERE, os.fsencode(other), EXCHANGE) == 0


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}{ASIDE}")
