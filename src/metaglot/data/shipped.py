"""Models that come in the package: runs shrunk to a small difference from a built-in one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

WEIGHTS = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True)
class Shipped:
    """A shrunk run in the package; its folder has the card and the notice too."""

    description: str
    licence: str
    base: str  # the built-in model that it is a difference from


_ALL = {
    "mini": Shipped(
        description="all-MiniLM-L6-v2 meta-pretrained on labelled sets with open licences",
        licence="Apache-2.0; what it was trained on: its card",
        base="minilm",
    ),
    "multilingual": Shipped(
        description="multilingual-e5-small meta-pretrained on labelled sets in 32 languages with open licences",
        licence="MIT; what it was trained on: its card",
        base="e5",
    ),
}
SHIPPED: Mapping[str, Shipped] = {
    name: one for name, one in _ALL.items() if (WEIGHTS / name / "model.json").is_file()
}  # a checkout may lack weights that are still to be made


def shipped_folder(name: str | Path) -> Path | None:
    """Return the folder of the model that comes as `builtin:NAME`, or None if none comes by that name."""
    text = str(name)
    own = text.removeprefix("builtin:")
    return WEIGHTS / own if own != text and own in SHIPPED else None
