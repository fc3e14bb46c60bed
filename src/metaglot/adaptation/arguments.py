"""Arguments of adaptation that are single values: each is what it should be, or the error says what came.

Arguments of any function are checked in `data/arguments.py`, lists of texts and labels in `checks.py`.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np

from metaglot.adaptation.checks import check_targets
from metaglot.data.arguments import check_is, check_whole, shown
from metaglot.decoding import Decoding
from metaglot.errors import MetaglotError
from metaglot.families.family import AnyFamily


def check_seconds(name: str, value: object) -> float | None:
    """Return a number of seconds, or None; raise MetaglotError for anything but a number from 0."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= float(value) < math.inf:
        raise MetaglotError(f"{name}: expected a number of seconds, 0 or more, got {shown(value)}")
    return float(value)


def check_target(name: str, value: object, family: AnyFamily) -> Any:
    """Return one target in its one form; raise MetaglotError for a gap, and for any object that is no target."""
    (target,) = family.read([value], lambda _: name).targets
    if target is None:
        raise MetaglotError(f"{name}: expected a label, got {shown(value)}, which says that there is none")
    return target


def check_rows(name: str, value: object) -> list[int]:
    """Return numbers of examples; raise MetaglotError for anything but a list of whole numbers."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise MetaglotError(f"{name}: expected a list of numbers of examples, as [0, 3], got {shown(value)}")
    return [check_whole(name, row) for row in cast("Iterable[object]", value)]


def check_relabelled(name: str, value: object, family: AnyFamily) -> dict[int, Any]:
    """Return targets by the numbers of examples; raise MetaglotError for anything else."""
    if not isinstance(value, Mapping):
        raise MetaglotError(f"{name}: expected labels by the numbers of examples, as {{3: 'spam'}}, got {shown(value)}")
    given = cast("Mapping[object, object]", value)
    rows = [check_whole(name, row) for row in given]
    return dict(zip(rows, check_targets(family, list(given.values())), strict=True))


def check_features(value: object, width: int) -> np.ndarray:  # [n, D]
    """Return features of texts; raise MetaglotError unless they are a table of finite numbers of this width."""
    if not isinstance(value, np.ndarray) or value.ndim != 2 or value.shape[1] != width or value.dtype.kind not in "fiu":
        what = f"an array {list(value.shape)} of {value.dtype}" if isinstance(value, np.ndarray) else shown(value)
        raise MetaglotError(f"features: expected an array [n, {width}] of numbers, as `embed` gives it, got {what}")
    if not np.isfinite(value).all():
        raise MetaglotError("features: expected finite numbers, got some that are not (NaN or infinite)")
    return value


def check_decoding(family: AnyFamily, max_new_tokens: object, decoding: object) -> Decoding | None:
    """Return how texts are written; raise MetaglotError for another kind of task, and for tokens that are given twice.

    None where nothing is asked for.
    """
    if max_new_tokens is None and decoding is None:
        return None
    if family.writes is None:
        what = "decoding" if max_new_tokens is None else "max_new_tokens"
        raise MetaglotError(f"{what} has no use: a task of {family.name} writes no texts")
    asked = Decoding() if decoding is None else check_is("decoding", decoding, Decoding, "mg.Decoding(…)")
    if max_new_tokens is None:
        return asked
    if asked.max_new_tokens is not None:
        raise MetaglotError("max_new_tokens stands in `decoding` too; give it once")
    return replace(asked, max_new_tokens=check_whole("max_new_tokens", max_new_tokens, least=1))
