"""Text in another encoding than UTF-8, as the user says."""

import codecs
import difflib
from encodings.aliases import aliases
from pathlib import Path

from metaglot.errors import MetaglotError


def check_encoding(encoding: str) -> str:
    """Return the name of an encoding; raise MetaglotError for one that Python does not know, or that is not of text."""
    try:
        codec = codecs.lookup(encoding).name
        " ".encode(encoding)
        return codec
    except (LookupError, ValueError, UnicodeError) as error:
        near = difflib.get_close_matches(encoding.lower().replace("-", "_"), [*aliases, *aliases.values()], n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise MetaglotError(
            f"encoding {encoding!r:.60}: no such encoding{hint}; cp1252, latin-1, utf-16, shift_jis and gb18030 "
            "are some"
        ) from error


def decoded(path: Path, raw: bytes, encoding: str) -> str:
    """Return the bytes of a file as text, without a mark at its beginning.

    Raises MetaglotError that names the line for bytes that the encoding does not have.
    """
    name = check_encoding(encoding)
    try:
        return raw.decode(name).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = raw.count(10, 0, error.start) + 1
        raise MetaglotError(
            f"{path}, line {line}: not {encoding} (byte 0x{raw[error.start]:02x}): {error.reason}. Try another "
            "--encoding (of a recipe, `encoding`)."
        ) from error


def encoding_notes(path: Path, raw: bytes, encoding: str) -> tuple[str, ...]:
    """Return a note where a file is UTF-8 and is read as something else."""
    if check_encoding(encoding).replace("_", "-").startswith("utf") or raw.isascii():
        return ()
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return ()
    return (f"{path}: it is read as {encoding} and looks like UTF-8: drop --encoding if letters are wrong",)
