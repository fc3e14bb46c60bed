"""Asynchronous against synchronous meta-training on Ray, two workers of which one is five times slower.

    python -m benchmarks.asynchronous --out asynchronous.jsonl            # 10 CPU-minutes
    python -m benchmarks.asynchronous --out asynchronous.jsonl --table
    … --out tiny.jsonl --seeds 1 'model.name="builtin:tiny"' training.lr=5e-4 training.steps=60 validation.every=20

The recipe is the demo's with four episodes a step and 24 steps.  The slow worker sleeps after each gradient, four times
as long as that took.  Arms: `by-stride`, each worker has its half of the episodes of a step, as ranks do; `as-free`,
the same step, but whoever is free takes the next episode (staleness 0); `asynchronous`, staleness 4.  A line for each
run: the accuracy on held-out tasks at each validation, and the seconds that steps took until then.  Loading and
validation, alike for all, are left out.  A run that stands in the file is not repeated.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from benchmarks.text.train import words
from metaglot.assembly import assemble
from metaglot.assembly.parts import parts_of
from metaglot.cluster import connected
from metaglot.config import Recipe, load_recipe, packaged_recipes
from metaglot.training import run
from metaglot.training.asynchronous import Parts, Work, train_asynchronously
from metaglot.training.on_ray import RayCrew
from metaglot.types import MetaGrad

ARMS = {"by-stride": 0, "as-free": 0, "asynchronous": 4}  # staleness
SLOWER = 5.0  # times
SHORT = ("training.steps=24", "training.meta_batch=4", "validation.every=12", "validation.episodes=40", "threads=1")


@dataclass(frozen=True)
class Slowed:
    """An algorithm that takes `times` as long for a gradient."""

    algorithm: Any
    times: float

    def meta_grad(self, *problems: Any, **options: Any) -> MetaGrad:
        began = time.perf_counter()
        found = self.algorithm.meta_grad(*problems, **options)
        time.sleep((self.times - 1) * (time.perf_counter() - began))
        return found


def parts(recipe: Recipe, folder: Path, times: float) -> Parts:
    """Return the parts of a worker that is so many times slower."""
    distribution, algorithm, learner = parts_of(recipe, folder)
    return distribution, Slowed(algorithm, times), learner  # pyright: ignore[reportReturnType]


class ByStride(RayCrew):
    """Workers that have their share of each step, whoever is free; Ray keeps what an actor has still to do."""

    def free(self) -> bool:
        return True

    def give(self, work: Work) -> None:
        self._idle = [work.number % len(self._makes)]
        super().give(work)


@contextmanager
def crew_of(arm: str, recipe: Recipe, folder: Path) -> Iterator[RayCrew]:
    """Hold two workers that have loaded what they need."""
    makes = [partial(parts, recipe, folder, times) for times in (1.0, SLOWER)]
    crew = (ByStride if arm == "by-stride" else RayCrew)(makes, 1, 0)
    try:
        while crew._waiting:
            crew.wait()
        yield crew
    finally:
        crew.end()


def measured(arm: str, recipe: Recipe) -> dict[str, object]:
    """Train, and return the accuracy and the seconds of the steps at each validation."""
    curve: list[tuple[int, float, float]] = []
    seconds, ages, loads = 0.0, [], []
    with tempfile.TemporaryDirectory() as name, crew_of(arm, recipe, Path(name)) as crew:
        plan = assemble(recipe, run=Path(name)).plan
        loop = partial(train_asynchronously, crew=crew, staleness=ARMS[arm])
        for event in run(replace(plan, loop=loop), Path(name)):
            loads.append(os.getloadavg()[0])
            if event.kind == "step":
                seconds += float(event.record["seconds"])
                ages.append(float(event.record["staleness"]))
            elif event.kind == "validation":
                curve.append((event.state.step, float(event.record["accuracy"]), round(seconds, 1)))
        spent = event.state.cpu_seconds
    known = {"arm": arm, "seed": recipe.seed, "staleness": round(fmean(ages), 2), "load": round(fmean(loads), 1)}
    return {**known, "cpu_seconds": round(spent, 1), "curve": curve}


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()] if out.is_file() else []


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return a line for each arm: the end of its runs, and when they were as good as the first arm was at its end."""
    rows_of = {arm: [row for row in rows if row["arm"] == arm] for arm in ARMS}
    goals = {row["seed"]: row["curve"][-1][1] for row in rows_of["by-stride"]}
    found = ["| arm | held-out accuracy | seconds of steps | until that of `by-stride` | age | CPU-s | load |"]
    found.append("|---|---|---|---|---|---|---|")
    for arm, runs in rows_of.items():
        ends = [row["curve"][-1] for row in runs]
        times = [next((s for _, score, s in row["curve"] if score >= goals.get(row["seed"], 1)), None) for row in runs]
        cells = [
            " ".join(f"{100 * score:.1f}" for _, score, _ in ends),
            " ".join(f"{seconds:.0f}" for _, _, seconds in ends),
            " ".join("not reached" if one is None else f"{one:.0f}" for one in times),
            *(" ".join(f"{row[name]:g}" for row in runs) for name in ("staleness", "cpu_seconds", "load")),
        ]
        found.append(f"| {arm} | {' | '.join(cells)} |")
    return "\n".join(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--arms", type=words, default=list(ARMS))
    parser.add_argument("--table", action="store_true", help="print the table of what is there, and train nothing")
    parser.add_argument("overrides", nargs="*", help="of the recipe, e.g. training.steps=4")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with connected("ray:local") if not args.table else tempfile.TemporaryDirectory():
        for seed, arm in [(seed, arm) for seed in range(args.seeds) for arm in args.arms if not args.table]:
            if all((row["arm"], row["seed"]) != (arm, seed) for row in lines(args.out)):
                recipe = load_recipe(packaged_recipes()["demo"], [*SHORT, *args.overrides, f"seed={seed}"])
                with args.out.open("a") as file:
                    file.write(json.dumps(measured(arm, recipe)) + "\n")
    print(table(lines(args.out)))


if __name__ == "__main__":
    main()
