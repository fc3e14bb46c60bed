"""Arguments of the functions that the documentation shows: each is what it should be, or the error says what came.

The type checker reads the same from the annotations; this is for whoever runs none.  Functions between the layers are
typed and check nothing: what reaches them was made by other functions here.
"""

import math
import operator
import os
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from metaglot.errors import MetaglotError

T = TypeVar("T")


def shown(value: object) -> str:
    """Return what came, as an error says it: the value where it is short, and its type."""
    text = repr(value)
    return f"{type(value).__name__}" if len(text) > 60 or "\n" in text else f"{text} ({type(value).__name__})"


def check_text(name: str, value: object) -> str:
    """Return one string; raise MetaglotError for anything else."""
    if not isinstance(value, str):
        raise MetaglotError(f"{name}: expected one string, got {shown(value)}")
    return value


def check_whole(name: str, value: object, *, least: int | None = None) -> int:
    """Return a whole number; raise MetaglotError for anything else, and for one below `least`."""
    try:
        number = operator.index(cast("Any", value))
    except TypeError as error:
        raise MetaglotError(f"{name}: expected a whole number, got {shown(value)}") from error
    if isinstance(value, bool | np.bool_):
        raise MetaglotError(f"{name}: expected a whole number, got {shown(value)}")
    if least is not None and number < least:
        raise MetaglotError(f"{name}: expected a whole number of at least {least}, got {number}")
    return number


def check_switch(name: str, value: object) -> None:
    """Raise MetaglotError unless a value is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise MetaglotError(f"{name}: expected True or False, got {shown(value)}")


def check_path(name: str, value: object, *, what: str = "a folder") -> Path:
    """Return a path; raise MetaglotError for anything but text or a path, and for none at all."""
    if not isinstance(value, str | os.PathLike) or not isinstance(path := os.fspath(cast("Any", value)), str):
        raise MetaglotError(f"{name}: expected the path of {what} as text or a path, got {shown(value)}")
    if not path or "\0" in path:
        raise MetaglotError(f"{name}: expected the path of {what}, got {path!r}; write '.' for the folder you are in")
    return Path(path)


def check_name(where: str, value: object) -> str:
    """Return the name of a model, given as text or a path; raise MetaglotError for anything else."""
    if not isinstance(value, str | os.PathLike) or not isinstance(name := os.fspath(cast("Any", value)), str):
        raise MetaglotError(f"{where}: expected the name of a model as text or a path, got {shown(value)}")
    return name


def check_number(name: str, value: object, *, least: float = 0.0, most: float = math.inf) -> float:
    """Return a finite number from `least` to `most`; raise MetaglotError for anything else."""
    bounds = f"from {least:g} to {most:g}" if most < math.inf else f"of at least {least:g}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        raise MetaglotError(f"{name}: expected a number {bounds}, got {shown(value)}")
    number = float(value)
    if not least <= number <= most or math.isinf(number):
        raise MetaglotError(f"{name}: expected a number {bounds}, got {number:g}")
    return number


def check_choice(name: str, value: object, choices: Sequence[str]) -> str:
    """Return one of the choices; raise MetaglotError for anything else."""
    if not isinstance(value, str) or value not in choices:
        raise MetaglotError(f"{name}: expected one of {', '.join(choices)}, got {shown(value)}")
    return value


def check_is(name: str, value: object, kind: type[T], what: str) -> T:
    """Return an object of a class, or of a protocol; raise MetaglotError for anything else."""
    if not isinstance(value, kind):
        raise MetaglotError(f"{name}: expected {what}, got {shown(value)}")
    return value


def check_all(name: str, values: object, kind: type[T], what: str) -> list[T]:
    """Return a list of objects of a class; raise MetaglotError for one alone, for what has no order, for any other."""
    table = getattr(values, "ndim", 1) != 1  # whose columns or rows would be the values
    if table or isinstance(values, str | bytes | Mapping | Set) or not isinstance(values, Iterable):
        raise MetaglotError(f"{name}: expected a list of {what}, got {shown(values)}")
    return [check_is(f"{name}[{i}]", value, kind, what) for i, value in enumerate(cast("Iterable[object]", values))]


def check_words(name: str, value: object, *, switch: bool) -> None:
    """Raise MetaglotError unless a value has words by label, or is True or False where `switch` allows that."""
    if switch and isinstance(value, bool):
        return
    if not isinstance(value, Mapping):
        also = "True, False, or " if switch else ""
        raise MetaglotError(f"{name}: expected {also}words by label, such as {{'1': 'positive'}}, got {shown(value)}")
    for label, words in cast("Mapping[object, object]", value).items():
        if not isinstance(words, str):
            raise MetaglotError(f"{name}: expected words for the label {label!r:.60}, got {shown(words)}")


def check_columns(name: str, value: object) -> Mapping[str, str] | None:
    """Return names of columns by what they are, or None; raise MetaglotError for anything else."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise MetaglotError(f"{name}: expected columns by what they are, as {{'text': 'review'}}, got {shown(value)}")
    for key, column in cast("Mapping[object, object]", value).items():
        check_text(f"{name}, the column for {key!r:.60}", column)
        check_text(f"{name}, the key of {column!r:.60}", key)
    return cast("Mapping[str, str]", value)
