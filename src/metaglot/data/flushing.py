"""What was written is on the disk before a name points at it: a loss of power leaves no name without its content.

fsync of the file, rename, fsync of the folder: https://man7.org/linux/man-pages/man2/fsync.2.html
"""

import os
import sys
from pathlib import Path


def flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk; raise OSError where the system cannot."""
    if sys.platform == "win32" and path.is_dir():  # it has no such call for folders
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_all(folder: Path) -> None:
    """Wait until all files and names in a folder are on the disk."""
    for above, _, names in os.walk(folder):
        for name in names:
            if not (path := Path(above, name)).is_symlink():
                flush(path)
        flush(Path(above))
