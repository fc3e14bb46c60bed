"""Held-out loss along the runs of a folder: perplexity, and how many steps each needs to the same loss."""

from collections.abc import Sequence
from itertools import pairwise
from math import exp
from pathlib import Path
from typing import Any

from metaglot.report.drawing.lines import Series, line_chart
from metaglot.training.run import read_metrics

Curve = list[tuple[int, float, float]]
"""Steps, CPU seconds and held-out loss of each validation."""


def curve(folder: Path) -> Curve:
    """Return the held-out losses of a run."""
    found, total = [], 0.0
    for record in read_metrics(folder / "metrics.jsonl"):
        if record.get("kind") == "step":
            total += float(record["cpu_seconds"])
        elif "text_loss" in record:
            found.append((int(record["step"]), total, float(record["text_loss"])))
    return found


def perplexities(out: Path) -> str:
    """Return held-out perplexity at the first and last validation of each run that has any."""
    lines = ["| run | steps | CPU-s | perplexity at first | at last |", "|---|---:|---:|---:|---:|"]
    for folder in _runs(out):
        records = read_metrics(folder / "metrics.jsonl")
        steps = max((int(r["step"]) for r in records), default=0)
        spent = sum(float(r["cpu_seconds"]) for r in records if r.get("kind") == "step")
        found = curve(folder)
        ends = [f"{exp(found[i][2]):.1f}" for i in (0, -1)] if found else ["", ""]
        lines.append(f"| {folder.name} | {steps} | {spent:.0f} | {ends[0]} | {ends[1]} |")
    return "\n".join(lines)


def steps_to_same_loss(out: Path) -> str:
    """Return steps and CPU seconds to the loss that all runs from scratch of a seed reach; empty without any."""
    heading = "| seed | held-out loss | arm | steps to it | CPU-s to it | steps of plain / steps |"
    lines = [heading, "|---:|---:|---|---:|---:|---:|"]
    runs = {
        (_arm(folder), _seed(folder)): curve(folder) for folder in _runs(out) if _arm(folder).startswith("scratch-")
    }
    for seed in sorted({seed for _, seed in runs}):
        mine = {arm: found for (arm, s), found in runs.items() if s == seed and found}
        target = max((min(loss for *_, loss in found) for found in mine.values()), default=0.0)
        reached = {arm: crossing(found, target) for arm, found in mine.items()}
        plain = reached.get("scratch-plain")
        for arm, (step, seconds) in reached.items():
            ratio = f"{plain[0] / step:.2f}" if plain and step else ""
            lines.append(f"| {seed} | {target:.3f} | {arm} | {step:.0f} | {seconds:.0f} | {ratio} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def crossing(found: Curve, target: float) -> tuple[float, float]:
    """Return steps and CPU seconds where a curve first falls to a loss, between two validations by a straight line."""
    for (step0, cpu0, loss0), (step1, cpu1, loss1) in pairwise(found):
        if loss1 <= target:
            share = (loss0 - target) / (loss0 - loss1) if loss0 > loss1 else 1.0
            return step0 + share * (step1 - step0), cpu0 + share * (cpu1 - cpu0)
    return float(found[-1][0]), found[-1][1]


def loss_picture(out: Path) -> str:
    """Return held-out loss against CPU seconds, a line for each arm (its first seed), as SVG; empty without any."""
    first: dict[str, Sequence[Any]] = {}
    for folder in _runs(out):
        found = [point for point in curve(folder) if point[1] > 0]
        if found:
            first.setdefault(_arm(folder), found)
    lines = [
        Series(arm, [seconds for _, seconds, _ in found], [loss for *_, loss in found], style=style)
        for style, (arm, found) in enumerate(first.items())
    ]
    return line_chart(lines, title="Held-out loss, nats a token", x="CPU seconds")


def _runs(out: Path) -> list[Path]:
    return [folder for folder in sorted((out / "runs").glob("*")) if (folder / "metrics.jsonl").is_file()]


def _arm(folder: Path) -> str:
    return folder.name.rpartition("-")[0]


def _seed(folder: Path) -> int:
    return int(folder.name.rpartition("-")[2])
