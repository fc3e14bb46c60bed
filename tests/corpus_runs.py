"""What the tests of objectives on raw text share: a corpus with its recipe, the records of a run, and its resume."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

WORDS = ("fox", "jumps", "over", "lazy", "dogs", "while", "rivers", "carry", "boats", "past", "old", "towns")


def sentence(i: int, words: int = 12) -> str:
    """Return a sentence whose words follow from its number."""
    return " ".join(WORDS[(i * 7 + j * (1 + i % 5)) % len(WORDS)] for j in range(words))


def write_corpus(folder: Path, recipe: str, rows: list[str], header: str = "text,document") -> Path:
    """Write notes.csv and mine.yaml into a folder, and return it."""
    (folder / "notes.csv").write_text("\n".join([header, *rows, ""]), "utf-8")
    (folder / "mine.yaml").write_text(recipe, "utf-8")
    return folder


def records(run: Path, kind: str) -> list[dict[str, Any]]:
    """Return the records of a run that are of a kind."""
    lines = (run / "metrics.jsonl").read_text("utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == kind]


def check_resume(metaglot: Callable[..., Any], folder: Path, step: int, *options: str) -> None:
    """Check that `run`, without its last checkpoint, goes on to the same bits."""
    shutil.copytree(folder / "run", folder / "other")
    shutil.rmtree(folder / "other" / "checkpoints" / f"step-{step}")
    said = metaglot("pretrain", "mine.yaml", "--out", "other", *options, "--resume")
    assert said.code == 0, said.err
    ends = [folder / name / "checkpoints" / f"step-{step}" / "params.safetensors" for name in ("run", "other")]
    assert ends[0].read_bytes() == ends[1].read_bytes()
