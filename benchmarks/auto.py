"""What the effort auto chooses, what the other choices would have been worth, and whether its interval holds.

    METAGLOT_DATA=… python -m benchmarks.auto runs/english --out results/auto
    … --groups dev,aside=FOLDER --shots 4,8 --draws 2 --leave-out banking77

For each task, number of shots and draw: accuracy and calibration error (10 bins of equal mass) on other texts in closed
form, after the steps that auto tries and those that it takes, by `auto`, and by logistic regression on the same
features; and what `choose` said: the gain measured on halves, its error, the expected accuracy with its interval.
Then, for the constants in `adaptation/choice.py` and for others, the mean accuracy of what the rule takes; the best
choice seen afterwards; how often the interval holds.  Killed, the same command goes on where it stopped.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import numpy as np
import torch

from benchmarks.judging import parser_of, task_sets
from metaglot.adaptation import Model, load_model
from metaglot.adaptation.choice import CLOSED, MANY, SOME, USUAL
from metaglot.data.examples import Examples
from metaglot.errors import MetaglotError
from metaglot.evaluation import Fitted
from metaglot.evaluation.baselines.features import FeatureCache
from metaglot.evaluation.baselines.frozen_lr import FrozenLR
from metaglot.evaluation.baselines.ours import TextPredictor
from metaglot.evaluation.kinds import CLASSES
from metaglot.evaluation.protocol import TaskSet
from metaglot.seeds import fold

STEPS = {effort.steps: effort for effort in (CLOSED, SOME, MANY)}
BINS = 10
Cell = Mapping[str, Any]


def error_of(probabilities: np.ndarray, right: np.ndarray) -> float:  # [n, C], [n]
    """Return the expected calibration error over BINS bins of equal mass."""
    confidence = probabilities.max(axis=1)
    order = np.argsort(confidence, kind="stable")
    parts = (rows for rows in np.array_split(order, BINS) if len(rows))
    return float(sum(abs(right[rows].mean() - confidence[rows].mean()) * len(rows) for rows in parts) / len(order))


def judged(fitted: Fitted, asked: Examples[str]) -> tuple[float, float]:
    """Return accuracy and calibration error."""
    outputs, probabilities, _ = fitted.predict(asked.inputs)
    right = np.array([outputs[k] for k in probabilities.argmax(axis=1)]) == np.array(asked.targets)
    return float(right.mean()), error_of(probabilities, right)


def cell_of(model: Model, task: TaskSet, shot: int, draw: int, args: argparse.Namespace) -> Cell:
    """Return accuracy and calibration error by arm, and what auto made of the examples."""
    support = task.support(shot, draw)
    asked = task.examples(task.queries(args.queries, fold(0, "auto", task.name)))
    seed = fold(0, "auto", task.name, shot, draw)
    given, pairs = (support.inputs.texts, support.targets), support.inputs.pairs
    arms: dict[str, Fitted] = {
        str(steps): TextPredictor(model.adapt(*given, pairs=pairs, effort=effort, seed=seed))
        for steps, effort in STEPS.items()
    }
    auto = model.adapt(*given, pairs=pairs, effort="auto", seed=seed, seconds=args.seconds)
    said = auto.provenance["choice"]
    arms["auto"] = TextPredictor(auto)
    arms["regression"] = FrozenLR(FeatureCache(model.encoder)).fit(support, CLASSES, shot=shot, seed=seed)
    found = {name: judged(fitted, asked) for name, fitted in arms.items()}
    return {
        "task": task.name,
        "shot": shot,
        "draw": draw,
        "taken": said["effort"]["steps"],
        "accuracy": {name: one for name, (one, _) in found.items()},
        "ece": {name: one for name, (_, one) in found.items()},
        "trial": said["trial"],
        "expected": said["expected"],
    }


def cells(args: argparse.Namespace, file: Path) -> Iterator[Cell]:
    """Yield the cells, those of the file first; the others are appended to it."""
    done = [json.loads(line) for line in file.read_text("utf-8").split("\n") if line] if file.exists() else []
    yield from done
    known = {(cell["task"], cell["shot"], cell["draw"]) for cell in done}
    tasks = [task for sets in task_sets(args.groups, args.leave_out).values() for task in sets]
    model = Model(replace(load_model(args.model).encoder, max_length=args.length))
    for draw in range(args.draws):
        for shot in args.shots:
            for task in tasks:
                if (task.name, shot, draw) in known:
                    continue
                cell = cell_of(model, task, shot, draw, args)
                with file.open("a", encoding="utf-8") as opened:
                    opened.write(json.dumps(cell) + "\n")
                print(f"{task.name} {shot} shots: {cell['accuracy']}, took {cell['taken']}", file=sys.stderr)
                yield cell


def taken(cell: Cell, most: float, spread: float) -> str:
    """Return the steps that the rule takes with these constants (γ∞ and τ)."""
    trial = cell["trial"]
    if trial is None:
        return str(cell["taken"])
    prior, precision, usual = 1 / spread**2, 1 / trial["error"] ** 2, trial["usual"] * most / USUAL
    likely = (usual * prior + trial["measured"] * precision) / (prior + precision)
    return str((CLOSED if likely <= 0 else MANY).steps)


def mean_of(found: Sequence[Cell], steps: Mapping[int, str], what: str) -> float:
    """Return the mean over cells, in per cent, at the steps of each."""
    return 100 * fmean(cell[what][steps[i]] for i, cell in enumerate(found))


def said(found: Sequence[Cell]) -> str:
    """Return the tables as Markdown."""
    shots = sorted({cell["shot"] for cell in found})
    lines = ["| steps | " + " | ".join(f"{shot} shots" for shot in shots) + " | all | ECE |"]
    lines.append("|---|" + "---:|" * (len(shots) + 2))
    rules = {arm: dict.fromkeys(range(len(found)), arm) for arm in (*map(str, STEPS), "auto", "regression")}
    rules["the best number of steps, seen afterwards"] = {
        i: max(map(str, STEPS), key=lambda steps: cell["accuracy"][steps]) for i, cell in enumerate(found)
    }
    for name, steps in rules.items():
        by_shot = []
        for shot in shots:
            rows = [i for i, cell in enumerate(found) if cell["shot"] == shot]
            by_shot.append(mean_of([found[i] for i in rows], {k: steps[i] for k, i in enumerate(rows)}, "accuracy"))
        row = [*by_shot, mean_of(found, steps, "accuracy"), mean_of(found, steps, "ece")]
        lines.append(f"| {name} | " + " | ".join(f"{value:.1f}" for value in row) + " |")
    lines += ["", "| γ∞ | τ | auto |", "|---:|---:|---:|"]
    for most in (0.04, 0.07, 0.1):
        for spread in (0.03, 0.045, 0.07):
            steps = {i: taken(cell, most, spread) for i, cell in enumerate(found)}
            lines.append(f"| {most} | {spread} | {mean_of(found, steps, 'accuracy'):.2f} |")
    kept = [cell for cell in found if cell["expected"]]
    held = [c["expected"]["low"] <= c["accuracy"]["auto"] <= c["expected"]["high"] for c in kept]
    off = [c["accuracy"]["auto"] - c["expected"]["accuracy"] for c in kept]
    wide = [c["expected"]["high"] - c["expected"]["low"] for c in kept]
    if kept:
        told = f"{100 * fmean(held):.0f} % of {len(held)} cells; it is {100 * fmean(wide):.0f} points wide on average"
        lines += ["", f"The interval holds in {told}; the accuracy is {100 * fmean(off):+.1f} points from its middle."]
    return "\n".join(lines)


def main(given: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, draws=3)
    parser.set_defaults(leave_out=["banking77"])
    parser.add_argument("model")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=20.0, help="that auto may take")
    args = parser.parse_args(given)
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    table = said(list(cells(args, args.out / "cells.jsonl")))
    (args.out / "table.md").write_text(table + "\n", "utf-8")
    print(table)


if __name__ == "__main__":
    try:
        main()
    except MetaglotError as error:
        sys.exit(f"auto: {error}")
