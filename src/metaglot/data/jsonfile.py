"""A JSON file that metaglot reads: a regular file of bounded size, in UTF-8."""

import json
from pathlib import Path
from typing import Any, cast

from metaglot.data.rawfiles import check_regular, unreadable
from metaglot.errors import MetaglotError

SIZE = 64 << 20  # bytes
FAULTS = (ValueError, RecursionError, OverflowError)


def read_raw(file: Path) -> bytes:
    """Return the bytes of a JSON file.

    Raises MetaglotError that names the file where it is absent, no regular file or above SIZE bytes.
    """
    check_regular(file)
    try:
        with file.open("rb") as opened:
            raw = opened.read(SIZE + 1)
    except OSError as error:
        raise MetaglotError(unreadable(file, error)) from error
    if len(raw) > SIZE:
        raise MetaglotError(f"{file}: more than {SIZE >> 20} MiB of JSON, which metaglot never writes; remove the file")
    return raw


def read_json(file: Path) -> object:
    """Return what a JSON file holds; raises as `read_raw` does, and for what is not JSON."""
    try:
        return json.loads(read_raw(file).decode("utf-8"))
    except FAULTS as error:
        raise MetaglotError(f"{file}: damaged: it is not JSON ({str(error)[:200]})") from error


def read_object(file: Path) -> dict[str, Any]:
    """Return the names and values that a JSON file holds; raises as `read_json` does, and for any other value."""
    value = read_json(file)
    if not isinstance(value, dict):
        raise MetaglotError(f"{file}: damaged: expected names with values, got {type(value).__name__}")
    return cast("dict[str, Any]", value)
