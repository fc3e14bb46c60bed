"""Folders of weights, each under the hash of what it holds.

A folder is written under another name, all of it is flushed to the disk, and then it is renamed: so a folder that has
the name of a hash is whole.  Where a power cut may come, the rename itself must be flushed too (`data/flushing.py`).
"""

import hashlib
import re
import secrets
import shutil
from collections.abc import Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from metaglot.data.flushing import flush, flush_all
from metaglot.errors import MetaglotError

DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Weights:
    """The folders of a server below `folder`."""

    folder: Path

    @property
    def _part(self) -> Path:
        return self.folder / "part"

    def prepare(self) -> None:
        """Make the folder, and remove what a server that was killed left half-written."""
        shutil.rmtree(self._part, ignore_errors=True)
        try:
            self._part.mkdir(parents=True)
        except OSError as error:
            raise MetaglotError(
                f"{self.folder}: cannot be written: {error.strerror}; choose another --store"
            ) from error

    def part(self) -> Path:
        """Return a path that nothing has yet, for a folder to be written."""
        return self._part / secrets.token_hex(16)

    def keep(self, part: Path) -> str:
        """Move a folder that is written to its place, and return its hash; what is there already stays."""
        files = sorted(path for path in part.rglob("*") if path.is_file())
        digest = _digest(part, files)
        flush_all(part)
        if self.path(digest).exists():
            shutil.rmtree(part)
        else:
            part.rename(self.path(digest))
            flush(self.folder)
        return digest

    def path(self, digest: str) -> Path:
        """Return the folder of a hash."""
        if not DIGEST.fullmatch(digest):
            raise ValueError("no hash")
        return self.folder / digest

    def size(self, digest: str) -> int:
        """Return how many bytes the files of a hash have; 0 where there is none."""
        return sum(path.stat().st_size for path in self.path(digest).rglob("*") if path.is_file())

    def remove(self, digest: str) -> None:
        """Remove a folder, if it is there: its name goes first, so that none is there in part."""
        gone = self.part()
        with suppress(FileNotFoundError):
            self.path(digest).rename(gone)
            shutil.rmtree(gone, ignore_errors=True)

    def sweep(self, kept: Set[str]) -> int:
        """Remove the folders that no version has, and return how many these were."""
        there = {path.name for path in self.folder.iterdir() if DIGEST.fullmatch(path.name)}
        for digest in there - kept:
            self.remove(digest)
        return len(there - kept)


def _digest(folder: Path, files: list[Path]) -> str:
    whole = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            one = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{path.relative_to(folder).as_posix()}\0{one}\n".encode())
    return whole.hexdigest()
