"""The paragraphs of a text file, read a block at a time.

They are parted by blank lines; where a file has none, each of its lines is one.
"""

import codecs
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from metaglot.data.rawfiles import blocks_of
from metaglot.data.textfiles import MAGIC, WIDE, decode
from metaglot.errors import MetaglotError

_BLANK_LINES = re.compile(r"\r?\n(?:[ \t]*\r?\n)+")
_END_OF_DOS = "\x1a"


def paragraphs(path: Path, encoding: str | None = None) -> Iterator[str]:
    """Yield the paragraphs, all white space in them one space.

    A file that is not plain UTF-8, or has something to be told of, is read whole.  Raises as `decode` does.
    """
    parted = None if encoding else _is_parted(path)
    if parted is None:
        parts = _whole(path, encoding)
    else:
        parts = _joined_lines(path) if parted else _lines(path)
    try:
        yield from (" ".join(part.split()) for part in parts if part.strip())
    except UnicodeDecodeError as error:  # there was none a moment ago
        raise MetaglotError(f"{path}: changed while it was read; wait until whoever writes it has ended") from error


def _whole(path: Path, encoding: str | None) -> list[str]:
    text = decode(path, encoding)
    parts = [part for part in _BLANK_LINES.split(text) if part.strip()]
    return parts if len(parts) > 1 else text.split("\n")


def _is_parted(path: Path) -> bool | None:
    """Return whether blank lines part a file; None where it is to be read whole.

    That is for what `decode` refuses or changes: other encodings and formats, bytes that are no text, no line feed, the
    mark at the end of a file of DOS.
    """
    for first in blocks_of(path):
        if first.startswith((*(magic for magic, _ in MAGIC), *WIDE)):
            return None
        break
    count, lines, returns, between = 0, 0, False, True  # between: no paragraph has begun behind the last blank line
    try:
        for line in _lines(path):
            if "\0" in line or _END_OF_DOS in line:
                return None
            lines, returns = lines + 1, returns or "\r" in line
            if _is_blank(line):
                between = True
            elif line.strip():
                count, between = count + between, False
    except UnicodeDecodeError:
        return None
    return None if not count or (lines == 1 and returns) else count > 1


def _joined_lines(path: Path) -> Iterator[str]:
    lines: list[str] = []
    for line in _lines(path):
        if not _is_blank(line):
            lines.append(line)
        elif lines:
            yield "\n".join(lines)
            lines = []
    yield "\n".join(lines)


def _is_blank(line: str) -> bool:
    return not line.removesuffix("\r").strip(" \t")


def _lines(path: Path) -> Iterator[str]:
    r"""Yield what stands between line feeds; raise UnicodeDecodeError for what is not UTF-8."""
    decoder, begun = codecs.getincrementaldecoder("utf-8-sig")(), list[str]()  # a long line is joined once
    for block in chain(blocks_of(path), [b""]):
        *lines, rest = decoder.decode(block, final=not block).split("\n")
        for line in lines:
            yield "".join([*begun, line])
            begun = []
        begun.append(rest)
    yield "".join(begun)
