"""What of a recipe does the work: variations of it, each trained and judged on tasks never seen, beside the first.

    METAGLOT_DATA=… python -m benchmarks.ablations recipes/mini-research.yaml --out results/ablations \
        --arm as-it-is: --arm slower:training.lr=5e-5 --arm wide:'episodes.ways=[2, 16];episodes.shots=[0, 4]'

An arm is NAME:key=value;key=value, changes to the recipe as `metaglot pretrain` takes them.  Judged are the folders of
$METAGLOT_DATA in --groups, at --efforts, on the same draws.  Killed, the same command goes on where it stopped.  OUT
has runs, a folder of results for each effort, and table.md.  With --on ray the cells are spread over a cluster.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

from benchmarks.compare import beside, judged, table
from benchmarks.judging import parser_of, task_sets
from benchmarks.running import add_on, workers_on
from benchmarks.text.train import trained, words
from metaglot.adaptation import Model, load_model
from metaglot.adaptation.effort import effort_called
from metaglot.config import load_recipe, packaged_recipes
from metaglot.errors import MetaglotError
from metaglot.evaluation import evaluate_into, read_results
from metaglot.evaluation.baselines.ours import Ours, ours
from metaglot.evaluation.protocol import Plan, TaskSet


class Variation(NamedTuple):
    """An arm: its name and what it changes in the recipe."""

    name: str
    changes: tuple[str, ...]


def variation(text: str) -> Variation:
    """Return the arm of NAME:key=value;key=value."""
    name, colon, changes = text.partition(":")
    if not (name and colon):
        raise argparse.ArgumentTypeError(f"{text!r}: expected NAME:key=value;key=value")
    return Variation(name, tuple(change for change in changes.split(";") if change))


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("recipe", help="a name or a file")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arm", action="append", type=variation, required=True)
    parser.add_argument("--efforts", type=words, default=["instant", "fast"])
    parser.add_argument("--seed", type=int, default=0, help="of draws and queries")
    add_on(parser)
    return parser.parse_args(given)


def model_of(args: argparse.Namespace, name: str) -> Model:
    """Return the model that an arm trained."""
    return Model(replace(load_model(args.out / "runs" / name).encoder, max_length=args.length))


def methods_of(model: Model, name: str, effort: str) -> list[Ours]:
    """Return what is judged of an arm with an effort."""
    return [replace(method, label=name) for method in ours(model, [effort_called(effort)])]


def tasks_and_methods(args: argparse.Namespace, name: str, effort: str) -> tuple[list[TaskSet], list[Ours]]:
    """Return what is judged, and on what, for a process of its own."""
    tasks = [task for sets in task_sets(args.groups, args.leave_out).values() for task in sets]
    return tasks, methods_of(model_of(args, name), name, effort)


def main(given: Sequence[str] | None = None) -> None:
    args = arguments(given)
    groups = task_sets(args.groups, args.leave_out)
    tasks = [task for sets in groups.values() for task in sets]
    path = str(packaged_recipes().get(args.recipe, args.recipe))
    plan = Plan(args.shots, args.draws, args.queries, args.seed)
    done = []
    for name, changes in args.arm:
        folder = args.out / "runs" / name
        done.append((name, trained(load_recipe(path, [*changes, f"name={name}"]), folder)))
        model = model_of(args, name)
        for effort in args.efforts:
            methods = methods_of(model, name, effort)
            workers = workers_on(args.on, tasks_and_methods, args, name, effort)
            for result in evaluate_into(args.out / effort, tasks, methods, plan, workers=workers):
                print(f"{name} {effort}: {result.task} {result.shot} shots {result.score:.3f}", file=sys.stderr)
    said = []
    for effort in args.efforts:
        results = read_results(args.out / effort)
        rows = [
            {"algorithm": name, "steps": run.steps, "cpu_minutes": run.cpu_minutes}
            | judged([row for row in results if row.method == name], groups, args)
            for name, run in done
        ]
        known = [row for row in results if row.method in {name for name, _ in done}]
        said += [f"**{effort}**", table(rows, list(groups), args.shots), beside(known, done[0][0], groups, args.shots)]
    (args.out / "table.md").write_text("\n\n".join(said) + "\n", "utf-8")
    print("\n\n".join(said))


if __name__ == "__main__":
    try:
        main()
    except MetaglotError as error:
        sys.exit(f"ablations: {error}")
