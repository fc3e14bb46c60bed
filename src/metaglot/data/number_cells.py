"""Numbers as targets."""

import math
import re
from typing import cast

from metaglot.data.labels import is_absent, scalar_of
from metaglot.errors import MetaglotError

LARGEST = 1e100  # sums of squares of numbers up to it are finite


def number_of(value: object, where: str) -> float | None:
    """Return a value as a number, None where it says that there is none; raise MetaglotError for what is none."""
    value = scalar_of(value)
    if is_absent(value):
        return None
    try:
        if isinstance(value, bool):
            raise ValueError
        number = float(cast("float", value))
    except OverflowError:
        number = math.inf
    except (TypeError, ValueError) as error:
        way = f"write {'.'.join(comma.groups())}" if (comma := _with_comma(value)) else "mend it, or leave the row out"
        raise MetaglotError(f"{where} is {value!r:.60}, which is no number; {way}") from error
    if abs(number) > LARGEST:
        raise MetaglotError(
            f"{where} is {value!r:.60}; a number to learn must be finite, and at most {LARGEST:g} in size"
        )
    return None if math.isnan(number) else number


def is_number(label: str) -> bool:
    """Whether a label is written as a number."""
    try:
        float(label)
    except ValueError:
        return False
    return True


def _with_comma(value: object) -> re.Match[str] | None:
    """Return the parts of a number that is written with a comma in place of the point."""
    return re.fullmatch(r"\s*([+-]?\d{1,9}),(\d{1,9})\s*", value) if isinstance(value, str) else None
