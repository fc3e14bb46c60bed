"""The one exception type that users of metaglot catch, its warnings, and what of any text may reach a terminal."""

import json
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = str(Path(__file__).parent)
BREAKS = "\n\t\u2028\u2029"


class MetaglotError(Exception):
    """An error that the user can mend: the message says what was wrong, what came, and the way out.

    The command line prints it without a traceback and ends with exit code 2.

    Examples
    --------
    >>> import metaglot as mg
    >>> try:
    ...     mg.load("no-such-folder/model")
    ... except mg.MetaglotError as error:
    ...     print("no-such-folder" in str(error))
    True
    """


def is_own(category: type[Warning], filename: str) -> bool:
    """Return whether a warning is a note of metaglot to its user."""
    return category is UserWarning and filename.startswith(PACKAGE)


@contextmanager
def own_warnings() -> Generator[list[str]]:
    """Yield a list that gets what metaglot warns of within, each once, in place of its being shown.

    Other warnings are shown as ever.  The list is filled when the block ends, by an error too.
    """
    texts: list[str] = []
    found: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always", UserWarning)
            yield texts
    finally:
        for one in found:
            if not is_own(one.category, one.filename):
                warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
        texts += dict.fromkeys(str(one.message) for one in found if is_own(one.category, one.filename))


def printable(text: str) -> str:
    """Return a text that is safe on a terminal: control characters but line breaks and tabs are written out.

    Among them ESC, which begins commands to the terminal, the marks that turn the direction of writing, and half
    characters.
    """
    return "".join(char if char.isprintable() or char in " \n\t" or _joins(char) else _written(char) for char in text)


def printable_line(text: str) -> str:
    """Return a text as `printable` does, on one line: line breaks and tabs are written out too, as \\n and \\t.

    For names that stand in a row of output, so that none can begin a row or a column of its own.
    """
    return "".join(_written(char) if char in BREAKS else char for char in printable(text))


def printable_json(value: object, *, indent: int | None = None) -> str:
    """Return a value as JSON that is safe on a terminal: what `printable` writes out is \\u and four digits here."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    if text.isascii():
        return text
    return "".join(char if printable(char) == char and char not in "\u2028\u2029" else _json(char) for char in text)


def _json(char: str) -> str:
    return json.dumps(char)[1:-1]  # half of a pair each, beyond four digits


def _joins(char: str) -> bool:
    # White space of any script, and the joiners that emoji and many scripts need.
    return (char.isspace() and char > "\x9f") or char in "\u200c\u200d"


def _written(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
