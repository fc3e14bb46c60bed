"""Choose what a baseline leaves open for each number of shots, on labelled sets kept aside from everything.

    METAGLOT_DATA=… python -m benchmarks.tune builtin:minilm --out tuning-finetune.jsonl
    METAGLOT_DATA=… python -m benchmarks.tune builtin:minilm --method lora --rates 5e-4,1e-3,2e-3 --out lora.jsonl
    METAGLOT_DATA=… python -m benchmarks.tune builtin:minilm --method knn --ks 1,4,8,16,1000 --out tuning-knn.jsonl
    METAGLOT_DATA=… python -m benchmarks.tune runs/english --out tuning-ours.jsonl

The last tunes our own efforts; all use the same sets and draws.  With --on ray the draws are spread over a
cluster.  One line for each (set, shot, draw, setting), and a table of means at the end; docs/tuning.md keeps them.
"""

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, product
from pathlib import Path
from statistics import fmean
from typing import TypeVar

import pyarrow as pa
import torch

from metaglot.adaptation import Encoder, Model, load_model
from metaglot.cluster import Share, spread
from metaglot.data.draws import draws_of
from metaglot.data.examples import Examples
from metaglot.data.readers import read_table
from metaglot.evaluation import FineTune, Fitted, TaskSet
from metaglot.evaluation.baselines import FeatureCache, Knn
from metaglot.evaluation.baselines.bitfit import bitfit
from metaglot.evaluation.baselines.lora import lora
from metaglot.evaluation.kinds import CLASSES
from metaglot.seeds import fold

# Sets that recipes/english.yaml keeps aside, each cut to one domain or to six classes.
SETS = (
    ("vader-amazon-movie", "domain", ("amazonReviewSnippets",)),
    ("tweeteval-stance", "domain", ("climate",)),
    ("stackoverflow20", "label", ("1", "2", "3", "4", "5", "6")),
)
TRAINED: dict[str, Callable[[Encoder], FineTune]] = {"finetune": FineTune, "lora": lora, "bitfit": bitfit}
Setting = tuple[tuple[str, float], ...]  # e.g. (("lr", 1e-4), ("steps", 20))
Trial = tuple[int, int, int]  # draw, number of the set, shot
Fits = Callable[[Examples[str], int, int], Iterator[tuple[Setting, Fitted]]]  # support, shot, seed
Number = TypeVar("Number", int, float)


def task_sets() -> list[TaskSet]:
    root = Path(os.environ["METAGLOT_DATA"]) / "train"
    found = []
    for name, column, values in SETS:
        table = read_table(root / f"{name}.parquet")
        table = table.filter(pa.array([value in values for value in table[column].to_pylist()]))
        table = table.drop_columns([c for c in ("split",) if c in table.column_names])
        found.append(TaskSet(name, table, draws_of(table)))
    return found


def trained(arm: FineTune, rates: Sequence[float], steps: Sequence[int]) -> Fits:
    """Return a function that yields the arm after each number of steps at each rate."""

    def fits(support: Examples[str], shot: int, seed: int) -> Iterator[tuple[Setting, Fitted]]:
        del shot
        for rate in rates:
            run = arm.trajectory(support, CLASSES, lr=rate, stops=steps, seed=seed)
            for step, fitted in zip(steps, run, strict=True):
                yield (("lr", rate), ("steps", step)), fitted

    return fits


def neighbours(queries: FeatureCache, ks: Sequence[int]) -> Fits:
    """Return a function that yields nearest neighbours with each k."""

    def fits(support: Examples[str], shot: int, seed: int) -> Iterator[tuple[Setting, Fitted]]:
        for k in ks:
            yield (("k", k),), Knn(queries, k=k).fit(support, CLASSES, shot=shot, seed=seed)

    return fits


def rows(fits: Fits, task: TaskSet, draw: int, shot: int, queries: int) -> Iterator[dict[str, object]]:
    """Yield the accuracy of each setting on a draw of a set."""
    asked = task.examples(task.draws.queries(queries, fold(0, "tune", task.name)))
    support = task.examples(task.draws.support(shot, draw))
    for setting, fitted in fits(support, shot, fold(0, "tune", task.name, shot, draw)):
        scored = CLASSES.score(fitted.predict(asked.inputs), asked.targets)
        row = {"task": task.name, "shot": shot, "draw": draw, **dict(setting)}
        yield {**row, "accuracy": scored.metrics["accuracy"]}


def tuned(args: argparse.Namespace) -> Callable[[Trial], list[dict[str, object]]]:
    """Return a function that tries all settings on a draw of a set, for a process of its own."""
    torch.set_num_threads(1)
    model = Model(replace(load_model(args.model).encoder, max_length=args.max_length))
    if args.method == "knn":
        fits = neighbours(FeatureCache(model.encoder), args.ks)
    else:
        fits = trained(replace(TRAINED[args.method](model.encoder), scale=args.scale), args.rates, args.steps)
    tasks = task_sets()
    return lambda trial: list(rows(fits, tasks[trial[1]], trial[0], trial[2], args.queries))


def numbers(kind: Callable[[str], Number]) -> Callable[[str], list[Number]]:
    return lambda text: [kind(word) for word in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--method", choices=[*TRAINED, "knn"], default="finetune")
    parser.add_argument("--rates", type=numbers(float), default=[2e-5, 5e-5, 1e-4])
    parser.add_argument("--steps", type=numbers(int), default=[0, 8, 20, 40, 80])
    parser.add_argument("--ks", type=numbers(int), default=[1, 4, 8, 16, 1000])
    parser.add_argument("--shots", type=numbers(int), default=[4, 8, 16])
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--queries", type=int, default=150)
    parser.add_argument("--scale", type=float, default=5.0)
    parser.add_argument("--max-length", type=int, default=96)
    parser.add_argument("--on", help="a Ray cluster: ray, ray:local, ray:HOST:PORT")
    args = parser.parse_args()
    trials = list(product(range(args.draws), range(len(SETS)), args.shots))
    make = partial(tuned, args)
    found = spread(make, trials, Share(args.on)) if args.on else map(make(), trials)
    means: dict[tuple[object, ...], list[float]] = defaultdict(list)
    with args.out.open("w") as file:
        for row in chain.from_iterable(found):
            file.write(json.dumps(row) + "\n")
            file.flush()
            setting = tuple((name, value) for name, value in row.items() if name in {"shot", "lr", "steps", "k"})
            means[setting].append(float(str(row["accuracy"])))
    for setting, values in sorted(means.items(), key=repr):
        said = "  ".join(f"{name} {value:<6g}" for name, value in setting)
        print(f"{said}  {100 * fmean(values):.1f}  (n {len(values)})")


if __name__ == "__main__":
    main()
