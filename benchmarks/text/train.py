"""What benchmarks that train share: training in a folder, and lists on the command line."""

import sys
from pathlib import Path
from typing import NamedTuple

import torch

from metaglot.assembly import assemble, write_run_files
from metaglot.config import Recipe, dump_recipe
from metaglot.data.seen import seen_of, write_seen
from metaglot.training import run


class Trained(NamedTuple):
    """How far a run came."""

    steps: int
    cpu_minutes: float


def trained(recipe: Recipe, folder: Path) -> Trained:
    """Train in a folder, from where it stands, until its budget ends; return how far it came."""
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    assembled = assemble(recipe, lambda text: print(f"{recipe.name}: {text}", file=sys.stderr), run=folder)
    write_run_files(folder, dump_recipe(recipe), assembled.description, base=assembled.base)
    write_seen(folder, seen_of(assembled.texts))
    for event in run(assembled.plan, folder):
        if event.kind == "validation":
            print(f"{recipe.name}: step {event.state.step} {dict(event.record)}", file=sys.stderr)
        state = event.state
    return Trained(state.step, state.cpu_seconds / 60)


def numbers(text: str) -> list[int]:
    """Return comma-separated whole numbers."""
    return [int(word) for word in text.split(",")] if text else []


def words(text: str) -> list[str]:
    """Return comma-separated words."""
    return text.split(",")
