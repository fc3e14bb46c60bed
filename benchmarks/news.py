"""News of sports and of finance for a model that has seen neither: meta-pre-training beside plain training.

    METAGLOT_DATA=… python -m benchmarks.news --out results/news
    … --base builtin:tiny --minutes 10 --draws 3

Every arm starts from one base, has the sets of recipes/news.yaml, in which no class of sports, finance, business, money
or stocks is left, and the same CPU minutes:

    meta        the recipe (ProtoNet), adapted with --effort
    plain       masked language modelling on the same texts, then the tuned fine-tune; 3 minutes more for a new head
    multitask   a classifier for each set, then the same fine-tune
    untouched   the base: the tuned fine-tune, and our head in closed form (frozen-instant)

`meta` and `frozen-instant` read the names of the classes, as ours do everywhere, and the fine-tune cannot: `meta`
stands in the table without them too.

The tasks are made of the classes that were taken out (agnews, of which nothing is trained on, has others beside them):
DOMAINS names sets and label spaces.  Each class has as many queries; precision and recall are means over the classes.
OUT has runs, results.jsonl and table.md; killed, the same command goes on where it stopped.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.metrics import precision_recall_fscore_support

from benchmarks.news_table import table
from benchmarks.text.arms import PLAIN
from benchmarks.text.train import numbers, trained
from metaglot.adaptation import Model, load_model
from metaglot.adaptation.effort import AS_TRAINED, AUTO, EFFORTS
from metaglot.assembly import assemble
from metaglot.config import load_recipe, packaged_recipes, parse_recipe
from metaglot.data.builtin import load_builtin
from metaglot.data.draws import draws_of
from metaglot.data.examples import Examples
from metaglot.data.readers import read_table
from metaglot.data.seen import find_seen, read_seen
from metaglot.errors import MetaglotError
from metaglot.evaluation import FineTune, TaskSet
from metaglot.evaluation.baselines import FeatureCache
from metaglot.evaluation.baselines.frozen_instant import FrozenInstant
from metaglot.evaluation.baselines.method import Fitted, Method
from metaglot.evaluation.baselines.multitask import multitask
from metaglot.evaluation.baselines.ours import ours
from metaglot.evaluation.kinds import CLASSES
from metaglot.seeds import fold, generator

WARM_MINUTES = 3.0


class Task(NamedTuple):
    """A set, and the classes of it that are the task; with words for labels that are numbers."""

    source: str  # builtin:NAME, or a file of $METAGLOT_DATA
    labels: Mapping[str, str]


def same(*labels: str) -> dict[str, str]:
    return {label: label for label in labels}


DOMAINS: Mapping[str, Mapping[str, Task]] = {
    "sports": {
        "newsgroups: baseball, hockey": Task("builtin:20newsgroups", same("rec.sport.baseball", "rec.sport.hockey")),
        "agnews: sports, world, science": Task("dev/agnews-test.parquet", same("Sports", "World", "Sci/Tech")),
    },
    "finance": {
        "reuters: eight topics": Task(
            "builtin:r52", same("earn", "acq", "crude", "trade", "money-fx", "interest", "ship", "money-supply")
        ),
        "huffpost: business, money": Task("train/huffpost41.parquet", {"9": "business", "31": "money"}),
        "agnews: business, world, science": Task("dev/agnews-test.parquet", same("Business", "World", "Sci/Tech")),
    },
}


def task_set(name: str, task: Task) -> TaskSet:
    """Return the task: of its set the rows of its classes, with their words."""
    if task.source.startswith("builtin:"):
        table = load_builtin(task.source.removeprefix("builtin:"))
    else:
        table = read_table(Path(os.environ["METAGLOT_DATA"]) / task.source)
    chosen = [i for i, label in enumerate(table["label"].to_pylist()) if label in task.labels]
    rows = table.take(pa.array(chosen))
    plain = pa.table(
        {
            "text": rows["text"],
            "label": [task.labels[label] for label in rows["label"].to_pylist()],
            "row": rows["row"],
        }
    )
    return TaskSet(name, plain, draws_of(plain))


def balanced(task: TaskSet, count: int, seed: int) -> list[int]:
    """Return as many query rows of each class, in a seeded order."""
    labels = task.table["label"].to_pylist()
    by_class: dict[str, list[int]] = {label: [] for label in sorted(set(labels))}
    for i in map(int, task.draws.queries(len(labels), seed)):
        by_class[labels[i]].append(i)
    each = min(count // len(by_class), *map(len, by_class.values()))
    return [i for rows in by_class.values() for i in generator(seed, "queries").permutation(rows)[:each].tolist()]


def write_texts(recipe: Any, file: Path) -> None:
    """Write the texts that the recipe trains on, without their labels."""
    if file.exists():
        return
    found: dict[str, str] = {}
    for part in assemble(recipe).texts:
        rows = part.table.take(pa.array(part.rows))
        pairs = rows["text_pair"].to_pylist() if "text_pair" in rows.column_names else [None] * len(rows)
        for text, pair in zip(rows["text"].to_pylist(), pairs, strict=True):
            found[f"{text} {pair}" if pair else text] = part.name
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"text": list(found), "domain": list(found.values())}), file)


def models_of(args: argparse.Namespace) -> dict[str, Model]:
    """Return the model of each arm, trained now as far as it is not yet."""
    news = str(packaged_recipes()["news"])
    common = [f"model.name={args.base}", f"budget.cpu_minutes={args.minutes}", f"seed={args.seed}"]
    recipe = load_recipe(news, common)
    write_texts(recipe, args.out / "text" / "news.parquet")
    runs = args.out / "runs"
    trained(recipe, runs / "meta")
    joint = ["algorithm={name: joint, options: {dropout: false, steps: 1}}", "training.average_with_base=0"]
    trained(load_recipe(news, [*common, *joint, "episodes.named=0", "episodes.shots=[1, 8]"]), runs / "multitask")
    for name, base, minutes in (
        ("warm", args.base, min(args.minutes, WARM_MINUTES)),
        ("plain", str(runs / "warm"), args.minutes),
    ):
        trained(parse_recipe(_language(name, base, minutes, args), where=f"arm {name}"), runs / name)
    return {
        name: Model(replace(load_model(runs / name).encoder, max_length=args.length))
        for name in ("meta", "plain", "multitask")
    }


def _language(name: str, base: str, minutes: float, args: argparse.Namespace) -> dict[str, Any]:
    warm = name == "warm"
    return {
        "name": name,
        "seed": args.seed,
        "threads": 1,
        "model": {"name": base, "max_length": args.length},
        "text": {"root": str(args.out / "text"), "corpora": ["news.parquet"], "length": 64, "min_chars": 1},
        "tasks": [PLAIN],
        "algorithm": {"name": "joint"},
        "training": {
            "steps": 1_000_000,
            "meta_batch": 4,
            "lr": 1e-3 if warm else 1e-4,
            "warmup": 40,
            "schedule": "constant",
            "save_every": 50,
            "freeze": ["*"] if warm else [],
        },
        "validation": {"every": 100, "batches": 8},
        "budget": {"cpu_minutes": minutes},
    }


def methods_of(models: Mapping[str, Model], args: argparse.Namespace) -> dict[str, Method]:
    """Return how each arm is adapted."""
    base = models["meta"].base()
    (meta,) = ours(models["meta"], [args.effort])
    return {
        f"meta, {args.effort}": meta,
        f"meta, {args.effort}, no names": replace(meta, names=False),
        "plain, fine-tuned": FineTune(models["plain"].encoder),
        "multitask, fine-tuned": multitask(models["multitask"]),
        "untouched, fine-tuned": FineTune(base.encoder),
        "untouched, closed form": FrozenInstant(base, FeatureCache(base.encoder)),
    }


def tasks_of() -> list[tuple[str, TaskSet]]:
    """Return the domain of each task, and the task."""
    return [(domain, task_set(name, task)) for domain, named in DOMAINS.items() for name, task in named.items()]


def queries_of(task: TaskSet, args: argparse.Namespace) -> list[int]:
    """Return the rows that a task is judged on."""
    return balanced(task, args.queries, fold(args.seed, "news", task.name))


def rows_of(methods: Mapping[str, Method], args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield accuracy, precision and recall of each arm on each draw; those of the file first."""
    file = args.out / "results.jsonl"
    done = [json.loads(line) for line in file.read_text("utf-8").split("\n") if line] if file.exists() else []
    yield from done
    known = {(row["arm"], row["task"], row["shot"], row["draw"]) for row in done}
    tasks = tasks_of()
    for draw, (domain, task), shot in product(range(args.draws), tasks, args.shots):
        support = task.examples(task.draws.support(shot, draw))
        query = task.examples(np.array(queries_of(task, args)))
        for arm, method in methods.items():
            if (arm, task.name, shot, draw) in known:
                continue
            seed = fold(args.seed, "news", task.name, shot, draw)
            fitted = method.fit(support, CLASSES, shot=shot, seed=seed)
            where = {"arm": arm, "domain": domain, "task": task.name, "shot": shot, "draw": draw}
            row = where | scores(fitted, query)
            with file.open("a", encoding="utf-8") as opened:
                opened.write(json.dumps(row) + "\n")
            print(f"{arm}: {task.name}, {shot} shots, {100 * row['accuracy']:.1f}", file=sys.stderr)
            yield row


def scores(fitted: Fitted, query: Examples[str]) -> dict[str, float]:
    """Return accuracy, and precision and recall as means over the classes."""
    outputs, probabilities, _ = fitted.predict(query.inputs)
    said = [outputs[k] for k in probabilities.argmax(axis=1)]
    found = precision_recall_fscore_support(query.targets, said, average="macro", zero_division=0.0)
    right = fmean(a == b for a, b in zip(said, query.targets, strict=True))
    return {"accuracy": right, "precision": float(found[0]), "recall": float(found[1])}


def leakage(args: argparse.Namespace) -> str:
    """Return how many of the texts judged on stand among those that the arms are trained on, which have the same."""
    seen = read_seen(args.out / "runs" / "meta")
    if seen is None:
        raise MetaglotError(f"{args.out}/runs/meta: no hashes of what was trained on; remove the run, to train it anew")
    lines = ["| task | texts judged on | seen in training, exactly | nearly |", "|---|---:|---:|---:|"]
    for _, task in tasks_of():
        rows, found = queries_of(task, args), find_seen(seen, task.table)
        lines.append(f"| {task.name} | {len(rows)} | {found.exact[rows].sum()} | {found.near[rows].sum()} |")
    return "\n".join(lines)


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--base", default="builtin:minilm")
    parser.add_argument("--minutes", type=float, default=20.0, help="of CPU for each arm")
    parser.add_argument("--effort", choices=(*EFFORTS, AUTO, AS_TRAINED), default=AUTO)
    parser.add_argument("--shots", type=numbers, default=[4, 8])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--length", type=int, default=96, help="tokens a text")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(given)
    methods = methods_of(models_of(args), args)
    said = "\n\n".join([table(list(rows_of(methods, args)), list(methods), list(DOMAINS)), leakage(args)])
    (args.out / "table.md").write_text(said + "\n", "utf-8")
    print(said)


if __name__ == "__main__":
    try:
        main()
    except MetaglotError as error:
        sys.exit(f"news: {error}")
