"""The bytes of a file that a user named: regular files only, gzip unpacked within a limit."""

import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path

from metaglot.errors import MetaglotError

UNPACKED = 512 << 20  # bytes that a .gz file may become
BLOCK = 1 << 20
KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}


def check_regular(path: Path) -> None:
    """Raise MetaglotError for a path that leads in a circle or nowhere, and for all but a regular file.

    A pipe or a device may never end, and can be read once only.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        raise MetaglotError(unreadable(path, error)) from error
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "no regular file")
        way = "Name a file in it." if stat.S_ISDIR(mode) else "Write its content to a file and name that."
        raise MetaglotError(f"{path}: cannot be read: {kind}, not a file. {way}")


def expanded(path: str | Path) -> Path:
    """Return a path with a leading ~ or ~user put in full; as it is where there is no such user."""
    return Path(os.path.expanduser(path))


def is_there(path: Path) -> bool:
    """Return whether anything goes by that path; a path that cannot be does not."""
    try:
        return os.path.lexists(path)
    except (OSError, ValueError):
        return False


def utf8_path(path: Path) -> Path:
    """Return a path; raise MetaglotError for one whose name is not UTF-8.

    Libraries that read weights take names as UTF-8, so that what is saved under such a name can never be loaded.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        shown = str(path).encode("utf-8", "backslashreplace").decode()
        raise MetaglotError(f"{shown}: this name is not UTF-8; choose another name for what is written") from error
    return path


def read_bytes(path: Path) -> bytes:
    """Return what a file holds, unpacked if its name ends in .gz.

    Raises MetaglotError for a damaged archive, and for one that unpacks to more than UNPACKED bytes.
    """
    check_regular(path)
    try:
        return b"".join(_unpacked(path)) if path.suffix.lower() == ".gz" else path.read_bytes()
    except OSError as error:
        raise MetaglotError(unreadable(path, error)) from error


def blocks_of(path: Path) -> Iterator[bytes]:
    """Yield what `read_bytes` returns, a block at a time; none is empty."""
    check_regular(path)
    try:
        if path.suffix.lower() == ".gz":
            yield from _unpacked(path)
        else:
            with path.open("rb") as file:
                while block := file.read(BLOCK):
                    yield block
    except OSError as error:
        raise MetaglotError(unreadable(path, error)) from error


def unreadable(path: Path, error: OSError | ValueError) -> str:
    """Return the message for a path that the system does not open."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        reason = f"a link to {os.readlink(path)}, which is not there"
    return f"{path}: cannot be read: {reason}. Check the path and who may read it."


def _unpacked(path: Path) -> Iterator[bytes]:
    """Yield a gzip file's content; it may have several members, one after the other."""
    size, member = 0, zlib.decompressobj(wbits=31)
    try:
        with path.open("rb") as file:
            while data := member.unconsumed_tail or member.unused_data or file.read(BLOCK):
                if member.eof:
                    member = zlib.decompressobj(wbits=31)
                block = member.decompress(data, BLOCK)
                size += len(block)
                if size > UNPACKED:
                    raise MetaglotError(
                        f"{path}: unpacks to more than {UNPACKED >> 20} MiB, the limit for .gz. Unpack it (gunzip) and"
                        " name the file it gives, if you trust it."
                    )
                if block:
                    yield block
    except zlib.error as error:
        raise MetaglotError(f"{path}: not a whole gzip file: {error}. Pack it again, or mend its name.") from error
    if not member.eof:
        raise MetaglotError(f"{path}: the gzip file ends too early. Pack it again, or copy it again.")
