"""Names that stand for several baselines; free of heavy imports."""

from collections.abc import Mapping
from types import MappingProxyType

FROZEN = ("frozen-proto", "frozen-lr")
"""The arms on the untouched backbone's features."""

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType({"frozen": FROZEN})
"""Names for several baselines at once."""
