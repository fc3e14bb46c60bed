"""Memory of large tensors goes back to the system as soon as they are dropped.

The C library of Linux raises, each time a large block is freed, the size from which on blocks come from the system and
go back to it, to 32 MB; smaller ones stay with the process, in pieces.  Gathered layers come and go so often that a
process then takes several times what it needs.  https://man7.org/linux/man-pages/man3/mallopt.3.html
"""

import ctypes
import sys

THRESHOLD = -3  # M_MMAP_THRESHOLD
LARGE = 1 << 20  # bytes


def release_large_blocks() -> None:
    """Let blocks of a megabyte or more go back to the system when they are freed, where the C library is glibc."""
    if sys.platform == "linux":
        tell = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries than glibc have none
        if tell is not None:
            tell(THRESHOLD, LARGE)
