"""Numbers as targets."""

import math
import re
from typing import TypeGuard, cast

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
        way = without_comma(value) if _has_comma(value) else "mend it, or leave the row out"
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


def without_comma(number: str) -> str:
    """Return how to write a number that has a comma, which may part thousands where three digits follow."""
    whole, _, rest = number.strip().partition(",")
    thousands = len(rest) == 3 and 1 <= len(whole.lstrip("+-")) <= 3 and whole.lstrip("+-")[0] != "0"
    return f"write {whole}{rest}, or {whole}.{rest} for a fraction" if thousands else f"write {whole}.{rest}"


def _has_comma(value: object) -> TypeGuard[str]:
    """Whether a value is a number that is written with one comma."""
    return isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,9},\d{1,9}\s*", value) is not None
