"""Names of the baselines, and names that stand for several; free of heavy imports."""

from collections.abc import Mapping
from types import MappingProxyType

NAMES = (
    "tfidf",
    "frozen-proto",
    "frozen-lr",
    "frozen-instant",
    "knn",
    "finetune",
    "multitask",
    "lora",
    "bitfit",
    "setfit",
)
"""The keys of BASELINES."""

FROZEN = ("frozen-proto", "frozen-lr", "frozen-instant")
"""The arms on the untouched backbone's features that a table shows the best of."""

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType({"frozen": FROZEN, "peft": ("lora", "bitfit")})
"""Names for several baselines at once."""
