"""One writer for each output folder: a lock that the system releases when its holder dies.

The lock is `flock` on a hidden file beside the folder, `.NAME.lock`, which says who holds it.  The file goes when the
holder ends; one that a killed process left behind holds nobody up.
"""

import json
import os
import shlex
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from metaglot.data.rawfiles import utf8_path
from metaglot.errors import MetaglotError

SHOWN = 160  # characters of the holder's command
TRIES = 9  # where another writer takes away the empty folders that it had made
PAUSE = 0.05  # seconds until a writer tries again: who only looks (`holder_of`) has the lock for a moment
_held: ContextVar[frozenset[Path]] = ContextVar("_held", default=frozenset())  # by this thread


@contextmanager
def writing(folder: str | Path) -> Generator[None]:
    """Hold the lock of an output folder for the length of the block; a block within it may ask for the same again.

    Raises MetaglotError that names the holder (its number, command and beginning) where somebody else has it, and
    for a path that is not UTF-8.  Where the file system knows no locks, there is none.
    """
    target = Path(os.path.realpath(utf8_path(Path(folder))))
    if target in _held.get():
        yield
        return
    parents = _parents(target)
    try:
        file, descriptor = _locked(target, Path(folder))
        _held.set(_held.get() | {target})
        try:
            yield
        finally:
            _held.set(_held.get() - {target})
            with suppress(OSError):
                file.unlink()  # while it is held, so that nobody else's file goes
            os.close(descriptor)
    finally:
        for parent in parents:  # one that is still empty was made for the lock alone
            with suppress(OSError):
                parent.rmdir()


def holder_of(folder: Path) -> str | None:
    """Return in words who holds the lock of an output folder; None if nobody does, or the system knows no locks."""
    target = Path(os.path.realpath(folder))
    name = f".{target.name[:200]}.lock"
    for file in (target.with_name(name), target / name):
        with suppress(OSError):
            descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
            try:
                if not _flocked(descriptor, shared=True):  # those who look at once do not take one another for writers
                    return _holder(descriptor)
            finally:
                os.close(descriptor)
    return None


def _parents(target: Path) -> list[Path]:
    """Make the folders above `target`, and return those that were not there, the deepest first."""
    absent = [parent for parent in target.parents if not parent.exists()]
    try:
        _make(target.parent)
    except OSError as error:
        raise MetaglotError(f"{target}: cannot be written: {error.strerror}; choose another folder") from error
    return absent


def _make(folder: Path, tries: int = TRIES) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError:
        if not tries:
            raise
        _make(folder, tries - 1)


def _locked(target: Path, shown: Path) -> tuple[Path, int]:
    """Return the lock's file and descriptor, once it is held."""
    while True:
        file, descriptor = _opened(target)
        try:
            if not _flocked(descriptor):
                time.sleep(PAUSE)
                if not _flocked(descriptor):
                    raise MetaglotError(_taken(shown, descriptor))
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), file.stat()):
                    _sign(descriptor)
                    return file, descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # the holder before took its file away meanwhile


def _opened(target: Path, tries: int = TRIES) -> tuple[Path, int]:
    """Open the lock's file: beside the folder or, where nothing may be made there, in it."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    name = f".{target.name[:200]}.lock"
    try:
        return target.with_name(name), os.open(target.with_name(name), flags, 0o666)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and tries:  # who made the folders above took them away meanwhile
            _make(target.parent)
            return _opened(target, tries - 1)
        if not target.is_dir():
            raise MetaglotError(f"{target}: cannot be written: {error.strerror}; choose another folder") from error
    try:
        return target / name, os.open(target / name, flags, 0o666)
    except OSError as error:
        raise MetaglotError(f"{target}: cannot be written: {error.strerror}; choose another folder") from error


def _flocked(descriptor: int, *, shared: bool = False) -> bool:
    """Take the lock, and return whether it is held; a system without such locks counts as held."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems
        return True
    return True


def _sign(descriptor: int) -> None:
    """Write who holds the lock; a full disk is no reason to refuse."""
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])[:SHOWN]
    holder = {"pid": os.getpid(), "command": command, "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _taken(folder: Path, descriptor: int) -> str:
    return f"{folder}: {_holder(descriptor)} is writing there; wait until it has ended, or choose another folder"


def _holder(descriptor: int) -> str:
    from metaglot.data.checked import Stored

    class Holder(Stored):
        pid: int
        command: str
        since: str

    try:
        holder = Holder.model_validate_json(os.pread(descriptor, 4096, 0))
        return f"process {holder.pid} (`{holder.command}`), since {holder.since},"
    except (OSError, ValueError):
        return "another process"
