"""The small things that are killed and damaged: sets of made-up sentences, a recipe, runs and an adaptation."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

from metaglot.data.checkpoints import PARAMS, damage_of_checkpoint
from metaglot.data.folders import latest, list_steps
from metaglot.data.vocabulary import train_tokenizer
from metaglot.models.scratch import make_backbone
from metaglot.training.run import read_metrics

TOPICS = {
    "billing": ("invoice", "refund", "payment", "receipt", "charge"),
    "technical": ("crash", "error", "bug", "screen", "login"),
    "delivery": ("parcel", "courier", "shipping", "package", "tracking"),
}
STEPS, SAVE_EVERY = 18, 3
RECIPE = f"""
name: small
threads: 1
model: {{name: base, max_length: 16, precision: fp32}}
data:
  train: [{{path: train.csv, min_per_class: 4}}]
  validation: [{{path: held.csv, min_per_class: 4}}]
episodes: {{ways: [2, 3], shots: [1, 2], queries: 2}}
training: {{steps: {STEPS}, meta_batch: 2, warmup: 2, save_every: {SAVE_EVERY}}}
validation: {{every: 6, episodes: 2, shots: 2, queries: 2, ways: [2, 3]}}
"""
SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
Record = dict[str, float | int | str]
CLOCKS = {
    "cpu_seconds",
    "run_cpu_seconds",
    "seconds",
    "waited_seconds",
    "peak_mb",
}  # fields that differ from call to call


@dataclass
class Tally:
    """A row of the table."""

    what: str
    kills: int = 0
    faults: list[str] = field(
        default_factory=list
    )  # what should not be: half of something, another result, a traceback
    losses: list[str] = field(default_factory=list)  # what had been saved and was gone
    notes: str = ""

    def check(self, good: bool, what: str) -> None:
        """Count a fault unless something is as it should be."""
        if not good:
            self.faults.append(what)

    def keeps(self, good: bool, what: str) -> None:
        """Count a loss unless something is still there."""
        if not good:
            self.losses.append(what)


def prepare(root: Path) -> None:
    """Write the files of examples, the recipe and a model of random weights into a folder."""
    for name, each, start in (("train.csv", 8, 0), ("held.csv", 8, 100), ("task.csv", 10, 200)):
        with (root / name).open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("text", "label"))
            for label, words in TOPICS.items():
                for i in range(each):
                    rows.writerow([f"{words[i % 5]} and {words[(i + 1) % 5]}, number {start + i}", label])
    (root / "small.yaml").write_text(RECIPE)
    texts = [line for name in ("train.csv", "held.csv", "task.csv") for line in (root / name).read_text().splitlines()]
    tokenizer = train_tokenizer(texts, kind="wordpiece", size=400)
    make_backbone("bert", SIZE, tokenizer, root / "base", seed=0)


def bytes_of(folder: Path, *, without: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Return the files of a folder by name, but for what a kill left under a hidden name."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in without]
    files = [path for path in files if not path.name.endswith((".part", ".lock"))]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def outcome_of(run: Path) -> tuple[dict[str, bytes], list[Record]]:
    """Return what finished runs are compared by: parameters and moments, and the metrics but for the clocks."""
    newest = latest(run)
    parts = {} if newest is None else {n: (newest / n).read_bytes() for n in (PARAMS, "moments.safetensors")}
    lines = [{k: v for k, v in line.items() if k not in CLOCKS} for line in read_metrics(run / "metrics.jsonl")]
    return parts, lines


def saved_steps(run: Path, tally: Tally) -> list[int]:
    """Return the steps of a killed run that are saved; any that is not whole is a fault."""
    steps = list_steps(run)
    for step in steps:
        why = damage_of_checkpoint(run / "checkpoints" / f"step-{step}")
        tally.check(why is None, f"{run.name}: step-{step} is half-written: {why}")
    return steps


def leftovers(folder: Path) -> list[str]:
    """Return what is left of interrupted writes."""
    return [path.name for path in folder.rglob("*") if ".part" in path.name or path.name.endswith(".tmp")]
