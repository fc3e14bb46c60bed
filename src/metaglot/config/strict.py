"""The base class of all settings, and the check of ranges."""

from pydantic import BaseModel, ConfigDict

from metaglot.data.yamltext import shown


class Strict(BaseModel):
    """Settings that refuse unknown keys, strings for numbers, NaN and infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Range = tuple[int, int]
MOST = 1_000_000_000  # of any count: a larger one is a typing error


def check_range(key: str, value: Range, *, least: int) -> None:
    """Raise ValueError where the low end of a range is below `least` or above its high end."""
    low, high = value
    if not least <= low <= high <= MOST:
        limits = f"{least} <= low <= high" + (f" <= {MOST:,}" if high > MOST else "")
        raise ValueError(f"{key}: expected [low, high] with {limits}, got [{shown(low)}, {shown(high)}]")
