"""Arguments of the public functions that are single values: each is what it should be, or the error says what came.

Lists of texts and labels are checked in `checks.py`.
"""

import math
import operator
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from metaglot.adaptation.checks import check_labels
from metaglot.data.labels import Label, labels_of
from metaglot.errors import MetaglotError


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


def check_seconds(name: str, value: object) -> float | None:
    """Return a number of seconds, or None; raise MetaglotError for anything but a number from 0."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= float(value) < math.inf:
        raise MetaglotError(f"{name}: expected a number of seconds, 0 or more, got {shown(value)}")
    return float(value)


def check_path(name: str, value: object) -> Path:
    """Return a path; raise MetaglotError for anything but text or a path, and for none at all."""
    if not isinstance(value, str | os.PathLike) or not isinstance(path := os.fspath(cast("Any", value)), str):
        raise MetaglotError(f"{name}: expected the path of a folder as text or a path, got {shown(value)}")
    if not path or "\0" in path:
        raise MetaglotError(f"{name}: expected the path of a folder, got {path!r}; write '.' for the folder you are in")
    return Path(path)


def check_words(name: str, value: object, *, switch: bool) -> None:
    """Raise MetaglotError unless a value has words by label, or is True or False where `switch` allows that."""
    if switch and isinstance(value, bool):
        return
    if not isinstance(value, Mapping):
        also = " or True or False," if switch else ""
        raise MetaglotError(f"{name}: expected words by label,{also} as {{'1': 'positive'}}, got {shown(value)}")
    for label, words in cast("Mapping[object, object]", value).items():
        if not isinstance(words, str):
            raise MetaglotError(f"{name}: expected words for the label {label!r:.60}, got {shown(words)}")


def check_label(name: str, value: object) -> Label:
    """Return one label in its one form; raise MetaglotError for a gap, and for any object that is no label."""
    (label,) = labels_of([value], lambda _: name).labels
    if label is None:
        raise MetaglotError(f"{name}: expected a label, got {shown(value)}, which says that there is none")
    return label


def check_rows(name: str, value: object) -> list[int]:
    """Return numbers of examples; raise MetaglotError for anything but a list of whole numbers."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise MetaglotError(f"{name}: expected a list of numbers of examples, as [0, 3], got {shown(value)}")
    return [check_whole(name, row) for row in cast("Iterable[object]", value)]


def check_relabelled(name: str, value: object) -> dict[int, Label]:
    """Return labels by the numbers of examples; raise MetaglotError for anything else."""
    if not isinstance(value, Mapping):
        raise MetaglotError(f"{name}: expected labels by the numbers of examples, as {{3: 'spam'}}, got {shown(value)}")
    given = cast("Mapping[object, object]", value)
    rows = [check_whole(name, row) for row in given]
    return dict(zip(rows, check_labels(list(given.values())), strict=True))


def check_features(value: object, width: int) -> np.ndarray:  # [n, D]
    """Return features of texts; raise MetaglotError unless they are a table of finite numbers of this width."""
    if not isinstance(value, np.ndarray) or value.ndim != 2 or value.shape[1] != width or value.dtype.kind not in "fiu":
        what = f"an array {list(value.shape)} of {value.dtype}" if isinstance(value, np.ndarray) else shown(value)
        raise MetaglotError(f"features: expected an array [n, {width}] of numbers, as `embed` gives it, got {what}")
    if not np.isfinite(value).all():
        raise MetaglotError("features: expected finite numbers, got some that are not (NaN or infinite)")
    return value
