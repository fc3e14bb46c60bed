"""Small recipes over builtin:tiny and files of three kinds of words."""

from pathlib import Path
from typing import Any

from metaglot.config import Recipe, parse_recipe

WORDS = {"fruit": "apple pear plum", "tool": "hammer saw drill", "beast": "horse cow goat"}
HEADER = "text,label,domain\n"


def rows(*labels: str, domain: str = "", count: int = 6, start: int = 0) -> str:
    """Rows of each label, as the lines of a file."""
    each = ((label, i) for label in labels for i in range(count))
    return "".join(f"{WORDS[label].split()[i % 3]} number {i + start},{label},{domain}\n" for label, i in each)


def written(folder: Path) -> Path:
    """Return the folder with two sets in it, and one with two domains."""
    (folder / "one.csv").write_text(HEADER + rows("fruit", "tool", "beast"))
    (folder / "two.csv").write_text(HEADER + rows("fruit", "tool", start=50))
    both = (rows("fruit", "tool", domain=name, start=n) for n, name in ((0, "shop"), (90, "farm")))
    (folder / "domains.csv").write_text(HEADER + "".join(both))
    return folder


def recipe_over(folder: Path, train=("one.csv",), validation=("two.csv",), **sections: Any) -> Recipe:
    """Return a recipe over files of the folder; `sections` stand in place of its own."""
    sides = [
        [{"min_per_class": 3, **(one if isinstance(one, dict) else {"path": one})} for one in side]
        for side in (train, validation)
    ]
    return parse_recipe(
        {
            "model": {"name": "builtin:tiny", "max_length": 12, "precision": "fp32"},
            "data": {"root": str(folder), "train": sides[0], "validation": sides[1]},
            "episodes": {"ways": [2, 3], "shots": [1, 2], "queries": 1},
            "training": {"steps": 2, "meta_batch": 1, "warmup": 0},
            "validation": {"every": 2, "episodes": 2, "shots": 2, "queries": 1, "ways": [2, 2]},
            **sections,
        }
    )
