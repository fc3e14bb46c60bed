"""What the benchmarks on raw text share: training in a folder, and lists on the command line."""

import sys
from pathlib import Path

import torch

from metaglot.assembly import assemble, write_run_files
from metaglot.config import Recipe, dump_recipe
from metaglot.training import run


def trained(recipe: Recipe, folder: Path) -> None:
    """Train in a folder, from where it stands, until its budget ends."""
    torch.set_num_threads(recipe.threads or 1)
    assembled = assemble(recipe, lambda text: print(f"{recipe.name}: {text}", file=sys.stderr), run=folder)
    write_run_files(folder, dump_recipe(recipe), assembled.description, base=assembled.base)
    for event in run(assembled.plan, folder):
        if event.kind == "validation":
            print(f"{recipe.name}: step {event.state.step} {dict(event.record)}", file=sys.stderr)


def numbers(text: str) -> list[int]:
    """Return comma-separated whole numbers."""
    return [int(word) for word in text.split(",")] if text else []


def words(text: str) -> list[str]:
    """Return comma-separated words."""
    return text.split(",")
