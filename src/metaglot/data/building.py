"""One builder for each file of the cache: who wants the same file meanwhile waits, and finds it there."""

import os
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

PAUSE = 0.05  # seconds until who waits looks again


@contextmanager
def building(target: Path) -> Generator[None]:
    """Wait until nobody else is in such a block for the same file; look for the file again within it.

    The lock is `flock` on `.NAME.lock` beside the file, which goes with the process that holds it.  It only saves work:
    where the system knows no such locks, nothing can be written there, or (on Linux) the holder is suspended, nobody
    waits, and two build the same.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "numbers.txt"
    >>> with building(target):
    ...     if not target.exists():
    ...         _ = target.write_text("1 2 3")
    """
    file = target.with_name(f".{target.name}.lock")
    descriptor = _held(file)
    try:
        yield
    finally:
        if descriptor is not None:
            file.unlink(missing_ok=True)  # while it is held: who waits for it sees that it went, and makes another
            os.close(descriptor)


def _held(file: Path) -> int | None:
    """Return the descriptor that holds the lock, once nobody else does; None where there is no lock."""
    if sys.platform == "win32":
        return None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        while (descriptor := _opened(file)) is not None:
            if _locked(descriptor, file):
                return descriptor
            os.close(descriptor)  # the holder before took its file away meanwhile
    except OSError:
        pass
    return None


def _opened(file: Path) -> int | None:
    """Return a descriptor whose lock is held now; None where who holds it is suspended."""
    import fcntl

    with ExitStack() as stack:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        stack.callback(os.close, descriptor)
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if _is_suspended(descriptor):
                    return None
                time.sleep(PAUSE)
            else:
                stack.pop_all()
                return descriptor


def _locked(descriptor: int, file: Path) -> bool:
    """Whether the lock that is held is that of the file, which then names this process."""
    with suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(descriptor), file.stat()):
            with suppress(OSError):  # a full disk
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return True
    return False


def _is_suspended(descriptor: int) -> bool:
    """Whether the process that the lock's file names was stopped, as by Ctrl-Z."""
    try:
        pid = int(os.pread(descriptor, 32, 0))
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] in ("T", "t")
    except (OSError, ValueError, IndexError):
        return False
