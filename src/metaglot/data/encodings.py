"""Text in another encoding than UTF-8, as the user says."""

import codecs
import difflib
from collections.abc import Generator
from contextlib import contextmanager
from encodings.aliases import aliases
from pathlib import Path

from metaglot.errors import MetaglotError


class EncodingError(MetaglotError):
    """A text file and an encoding do not fit, or there is no such encoding.

    Between `before` and `after` stands where an encoding is asked for, with a `value` to try: an option of the command
    line and the argument in Python, or the key of an entry of a recipe.
    """

    def __init__(self, before: str, after: str, value: str = "", entry: str | None = None) -> None:
        super().__init__(before + (_option(value) if entry is None else _key(value, entry)) + after)
        self.before, self.after, self.value = before, after, value


@contextmanager
def encoding_in(entry: str) -> Generator[None]:
    """Within the block, errors name the key `encoding` of an entry of a recipe, and no option or argument."""
    try:
        yield
    except EncodingError as error:
        raise EncodingError(error.before, error.after, error.value, entry) from error


def _option(value: str) -> str:
    return f"--encoding {value} (in Python encoding={value!r})" if value else "--encoding (in Python encoding=)"


def _key(value: str, entry: str) -> str:
    return f"`encoding: {value}` in the entry of {entry}" if value else f"`encoding` in the entry of {entry}"


def check_encoding(encoding: str) -> str:
    """Return the name of an encoding; raise MetaglotError for one that Python does not know, or that is not of text."""
    try:
        codec = codecs.lookup(encoding).name
        " ".encode(encoding)
        return codec
    except (LookupError, ValueError, UnicodeError) as error:
        near = difflib.get_close_matches(encoding.lower().replace("-", "_"), [*aliases, *aliases.values()], n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise EncodingError(
            f"encoding {encoding!r:.60}: no such encoding{hint}; cp1252, latin-1, utf-16, shift_jis and gb18030 are "
            "some; correct ",
            "",
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
        where, byte = f"{path}, line {line}", f"byte 0x{raw[error.start]:02x}"
        raise EncodingError(f"{where}: not {encoding} ({byte}): {error.reason}. Try another value for ", ".") from error


def encoding_notes(path: Path, raw: bytes, encoding: str) -> tuple[str, ...]:
    """Return a note where a file is UTF-8 and is read as something else."""
    if check_encoding(encoding).replace("_", "-").startswith("utf") or raw.isascii():
        return ()
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return ()
    return (f"{path}: it is read as {encoding} and looks like UTF-8: leave the encoding out if letters are wrong",)
