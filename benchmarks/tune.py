"""Choose rate and steps of fine-tuning for each number of shots, on labelled sets kept aside from everything.

    METAGLOT_DATA=… python benchmarks/tune.py builtin:minilm --out tuning-finetune.jsonl
    METAGLOT_DATA=… python benchmarks/tune.py runs/english --out tuning-ours.jsonl

The first tunes the baseline, the second our own efforts; both use the same sets, draws and grid.  One line for each
(set, shot, draw, rate, steps), and a table of means at the end.
"""

import argparse
import json
import os
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np
import pyarrow as pa
import torch

from metaglot.adaptation import load_model
from metaglot.data.draws import draws_of
from metaglot.data.readers import read_table
from metaglot.evaluation import FineTune, TaskSet
from metaglot.evaluation.metrics import judge
from metaglot.seeds import fold

# Sets that recipes/english.yaml keeps aside, each cut to one domain or to six classes.
SETS = (
    ("vader-amazon-movie", "domain", ("amazonReviewSnippets",)),
    ("tweeteval-stance", "domain", ("climate",)),
    ("stackoverflow20", "label", ("1", "2", "3", "4", "5", "6")),
)


def task_sets() -> list[TaskSet]:
    root = Path(os.environ["METAGLOT_DATA"]) / "train"
    found = []
    for name, column, values in SETS:
        table = read_table(root / f"{name}.parquet")
        table = table.filter(pa.array([value in values for value in table[column].to_pylist()]))
        table = table.drop_columns([c for c in ("split",) if c in table.column_names])
        found.append(TaskSet(name, table, draws_of(table)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rates", default="2e-5,5e-5,1e-4")
    parser.add_argument("--steps", default="0,8,20,40,80")
    parser.add_argument("--shots", default="4,8,16")
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--queries", type=int, default=150)
    parser.add_argument("--scale", type=float, default=5.0)
    parser.add_argument("--max-length", type=int, default=96)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(args.model)
    model = replace(model, max_length=args.max_length)
    steps = [int(s) for s in args.steps.split(",")]
    means: dict[tuple[int, float, int], list[float]] = defaultdict(list)
    with args.out.open("w") as file:
        for draw in range(args.draws):
            for task in task_sets():
                queries = task.examples(task.draws.queries(args.queries, fold(0, "tune", task.name)))
                for shot in (int(s) for s in args.shots.split(",")):
                    support = task.examples(task.draws.support(shot, draw))
                    for rate in (float(r) for r in args.rates.split(",")):
                        arm = FineTune(model, scale=args.scale)
                        seed = fold(0, "tune", task.name, shot, draw)
                        fits = arm.trajectory(*support[:2], support.labels, lr=rate, stops=steps, seed=seed)
                        for step, fitted in zip(steps, fits, strict=True):
                            probabilities = fitted.predict_proba(queries.texts, queries.pairs)
                            accuracy = judge(fitted.labels, np.asarray(probabilities), queries.labels).accuracy
                            means[shot, rate, step].append(accuracy)
                            row = {"task": task.name, "shot": shot, "draw": draw, "lr": rate, "steps": step}
                            file.write(json.dumps({**row, "accuracy": accuracy}) + "\n")
                            file.flush()
    for (shot, rate, step), values in sorted(means.items()):
        print(f"{shot:>3} shots  lr {rate:g}  {step:>3} steps  {100 * fmean(values):.1f}  (n {len(values)})")


if __name__ == "__main__":
    main()
