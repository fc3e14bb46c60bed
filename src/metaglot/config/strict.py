"""What all settings share."""

from pydantic import BaseModel, ConfigDict

from metaglot.data.yamltext import shown


class Strict(BaseModel):
    """Settings that refuse unknown keys, strings for numbers, NaN and infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Range = tuple[int, int]
MOST = 1_000_000_000  # of any count: beyond it stands a slip of the finger


def check_range(key: str, given: Range, *, least: int) -> None:
    """Raise ValueError for a range that runs down, or begins below `least`."""
    low, high = given
    if not least <= low <= high <= MOST:
        limits = f"{least} <= low <= high" + (f" <= {MOST:,}" if high > MOST else "")
        raise ValueError(f"{key}: expected [low, high] with {limits}, got [{shown(low)}, {shown(high)}]")
