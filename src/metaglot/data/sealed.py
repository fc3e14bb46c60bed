"""Files of the cache with a seal: the digest of all that follows it, checked before any of it is believed.

    file = SHA-256(content) | content          64 hexadecimal digits, then an Arrow file

The code that reads a memory-mapped file trusts it: offsets in a file with one wrong byte lead outside the memory of the
process.  So the whole content is read once, in order, before it is given away.
"""

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

SEAL = 64  # bytes: the digits; what follows stays aligned


@contextmanager
def sealed_writer(path: Path) -> Generator["Sealing"]:
    """Give a file object that writes the content; the seal is put on it when the block ends."""
    with path.open("wb") as file:
        file.write(bytes(SEAL))
        sealing = Sealing(file)
        yield sealing
        file.seek(0)
        file.write(sealing.digest.hexdigest().encode())


def open_sealed(path: Path) -> pa.Buffer | None:
    """Return the content memory-mapped, or None where there is no file or its seal does not fit."""
    try:
        whole = pa.memory_map(str(path)).read_buffer()
    except (OSError, pa.ArrowException):
        return None
    if whole.size < SEAL:
        return None
    seal, content = whole.slice(0, SEAL).to_pybytes(), whole.slice(SEAL)
    return content if hashlib.sha256(memoryview(content)).hexdigest().encode() == seal else None


class Sealing:
    """A binary file that is written in order, and its digest so far (what Arrow needs of a file)."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.digest = hashlib.sha256()
        self.size = 0  # bytes

    def write(self, data: bytes) -> int:
        """Write some bytes."""
        self.digest.update(data)
        self.size += len(data)
        return self.file.write(data)

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self.size

    def flush(self) -> None:
        """Do nothing: the file is flushed as it is closed."""

    def close(self) -> None:
        """Do nothing: the file is closed by whoever opened it."""
