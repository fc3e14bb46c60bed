"""Languages beside each other: linear heads on frozen encoders, the effort instant, and counting words, 8 shots.

    METAGLOT_DATA=… python -m benchmarks.multilingual builtin:e5 builtin:mini --out results/multilingual

A task is a language of masakhanews (topics of news), nusax-sentiment or afrisenti; classes with fewer than 16 texts in
a language are left out.  Supports are drawn from the rows that are not for tests, queries from those that are.  Of each
model: `lr`, logistic regression on its features, and `instant`; beside them TF-IDF with logistic regression.
`--held-out` keeps the languages that `recipes/multilingual.yaml` sees nothing of, `--only SET/LANGUAGE,…` those named.
Accuracy in %; the intervals are over languages, of the paired difference to the first column.  Killed, the same command
goes on where it stopped.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from benchmarks.text.train import words
from metaglot.adaptation import Model, load_model
from metaglot.data.draws import draws_of
from metaglot.data.readers import read_table
from metaglot.errors import MetaglotError
from metaglot.evaluation import Plan, evaluate_into, read_results
from metaglot.evaluation.baselines.frozen_lr import FrozenLR
from metaglot.evaluation.baselines.method import Method
from metaglot.evaluation.baselines.ours import ours
from metaglot.evaluation.baselines.tfidf import Tfidf
from metaglot.evaluation.protocol import TaskSet
from metaglot.evaluation.statistics import t_interval

SETS = ("masakhanews", "nusax-sentiment", "afrisenti")
PUBLIC = {"masakhanews": 73.4, "nusax-sentiment": 66.1, "afrisenti": 43.2}  # MTEB, e5-small and logistic regression
HELD_OUT = (  # four languages of each set that no training set of recipes/multilingual.yaml has
    *(f"masakhanews/{language}" for language in ("hau", "lin", "lug", "run")),
    *(f"nusax-sentiment/{language}" for language in ("acehnese", "madurese", "minangkabau", "sundanese")),
    *(f"afrisenti/{language}" for language in ("hau", "kin", "tir", "twi")),
)
FEWEST = 16  # texts of a class in a language
Scores = dict[str, dict[str, float]]  # arm -> task -> accuracy, mean over draws


def tasks_of(name: str, root: Path, only: Sequence[str]) -> Iterator[TaskSet]:
    """Yield a task of each language of a set in $METAGLOT_DATA/train; of those in `only`, if any are named."""
    table = read_table(root / "train" / f"{name}.parquet")
    for language in sorted(set(table["lang"].to_pylist())):
        if only and f"{name}/{language}" not in only:
            continue
        own = table.filter(pc.equal(table["lang"], language))
        counts = own.group_by("label").aggregate([("label", "count")])
        frequent = counts.filter(pc.greater_equal(counts["label_count"], FEWEST))["label"]
        kept = own.filter(pc.is_in(own["label"], value_set=pa.array(frequent.to_pylist(), pa.string())))
        yield TaskSet(f"{name}/{language}", kept, draws_of(kept))


def arms_of(model: Model, name: str) -> Mapping[str, Method]:
    """Return the two methods of a model, which share the features of the queries."""
    (instant,) = ours(model, ["instant"])
    return {f"{name} lr": FrozenLR(instant.queries), f"{name} instant": instant}


def rows_of(found: Scores, sets: Sequence[str]) -> Iterator[list[str]]:
    """Yield a row for each language, and for each set the mean, with what is gained over the first arm."""
    first = next(iter(found.values()))
    for name in sets:
        own = [task for task in first if task.startswith(f"{name}/")]
        if not own:
            continue
        for task in own:
            yield [task, *(f"{100 * arm[task]:.1f}" for arm in found.values()), ""]
        means = [f"**{100 * np.mean([arm[task] for task in own]):.1f}**" for arm in found.values()]
        yield [f"**{name}, mean**", *means, f"{PUBLIC.get(name, '')}"]
        gains = [[100 * (arm[task] - first[task]) for task in own] for arm in found.values()]
        yield ["over the first column", *map(_interval, gains), ""]


def _interval(gains: Sequence[float]) -> str:
    found = t_interval(list(gains))
    return f"{found.mean:+.1f}" if found.n < 2 else f"{found.mean:+.1f} ± {found.half:.1f}"


def main(given: Sequence[str] | None = None) -> None:
    """Judge all models and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="a name, or NAME=FOLDER")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", type=words, default=list(SETS))
    parser.add_argument("--only", type=words, default=[], help="SET/LANGUAGE, separated by commas")
    parser.add_argument("--held-out", dest="only", action="store_const", const=list(HELD_OUT))
    parser.add_argument("--shot", type=int, default=8)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--queries", type=int, default=150)
    parser.add_argument("--length", type=int, default=128, help="tokens a text")
    args = parser.parse_args(given)
    torch.set_num_threads(1)
    root = Path(os.environ["METAGLOT_DATA"])
    tasks = [task for name in args.sets for task in tasks_of(name, root, args.only)]
    plan = Plan([args.shot], args.draws, args.queries, 0)
    found: Scores = {}
    for one in args.models:
        name, _, place = one.rpartition("=")
        loaded = load_model(place)
        model = Model(replace(loaded.encoder, max_length=args.length))
        name = name or Path(place.removeprefix("builtin:")).name
        found |= _judged(args.out / name, tasks, arms_of(model, name), plan)
    found |= _judged(args.out / "tfidf", tasks, {"tfidf": Tfidf()}, plan)
    lines = [
        ["language", *found, "e5-small in MTEB"],
        ["---", *["---:"] * (len(found) + 1)],
        *rows_of(found, args.sets),
    ]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    (args.out / "table.md").write_text(table + "\n", "utf-8")
    print(table)


def _judged(folder: Path, tasks: Sequence[TaskSet], arms: Mapping[str, Method], plan: Plan) -> Scores:
    """Return the accuracy of each arm on each task, mean over draws; results are kept in the folder."""
    for result in evaluate_into(folder, tasks, [*arms.values()], plan):
        print(f"{folder.name}: {result.task} {result.method} {result.score:.3f}", file=sys.stderr, flush=True)
    rows = read_results(folder)
    found: Scores = {}
    for arm, method in arms.items():
        scores = [(row.task, row.score) for row in rows if row.method == method.name]
        found[arm] = {task.name: float(np.mean([s for t, s in scores if t == task.name])) for task in tasks}
    return found


if __name__ == "__main__":
    try:
        main()
    except MetaglotError as error:
        sys.exit(f"multilingual: {error}")
