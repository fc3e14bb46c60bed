"""One builder for each file of the cache: who wants the same file meanwhile waits, and finds it there."""

import os
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path


@contextmanager
def building(target: Path) -> Generator[None]:
    """Wait until nobody else is in such a block for the same file; look for the file again within it.

    The lock is `flock` on `.NAME.lock` beside the file, which goes with the process that holds it.  It only saves work:
    where the system knows no such locks, or nothing can be written there, nobody waits, and two build the same.

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
        while (descriptor := _waited_for(file)) is None:
            pass  # the holder before took its file away meanwhile
        return descriptor
    except OSError:
        return None


def _waited_for(file: Path) -> int | None:
    import fcntl

    with ExitStack() as stack:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        stack.callback(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), file.stat()):
                stack.pop_all()
                return descriptor
    return None
