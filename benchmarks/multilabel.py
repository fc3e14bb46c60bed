"""Several labels a text: six tasks of goemotions and debtags, ours beside baselines on the same draws.

    METAGLOT_DATA=… python -m benchmarks.multilabel --out results/multilabel
    … --tasks B --draws 3 --without finetune

A facet of debtags is a task.  Labels of few rows are left out, and rows that had labels and have none then.  There are
two choices of tasks: A was set before the head was made; on B plain baselines have floors that were known before, and
two of its facets, with other labels, were development tasks (docs/tuning.md, docs/results/multilabel.md).  OUT has
results.jsonl and table.md; killed, the same command goes on where it stopped.
"""

import argparse
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from scipy.stats import t

from benchmarks.running import evaluated, write_table
from metaglot.adaptation import Model, load_model
from metaglot.evaluation import Plan, TaskSet
from metaglot.evaluation.baselines import baselines, ours
from metaglot.evaluation.result import Result

FLOORS = ("prior", "tfidf", "frozen-lr", "frozen-instant", "knn", "finetune")


class Source(NamedTuple):
    """A set, the domain of it that is the task, and how many rows a label has at least."""

    file: str
    domain: str | None
    least: int


def facets(names: str, least: int) -> dict[str, Source]:
    return {name: Source("debtags", name, least) for name in names.split()}


CHOICES: Mapping[str, Mapping[str, Source]] = {
    "A": {
        "goemotions": Source("goemotions", None, 60),
        **facets("devel field implemented-in made-of works-with", 60),
    },
    "B": {"goemotions": Source("goemotions", None, 20), **facets("devel field made-of role uitoolkit", 100)},
}


def rows_of(source: Source, root: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the texts of a task with those of their labels that are frequent."""
    plain = pq.read_table(root / "multilabel" / f"{source.file}.parquet").to_pydict()
    domains = plain.get("domain") or [None] * len(plain["text"])
    rows = [
        (text, label.split("|") if label else [])
        for text, label, domain in zip(plain["text"], plain["label"], domains, strict=True)
        if source.domain in (None, domain)
    ]
    count = Counter(label for _, own in rows for label in own)
    for text, own in rows:
        kept = [label for label in own if count[label] >= source.least]
        if kept or not own:
            yield text, kept


def task_set(name: str, source: Source, out: Path, root: Path) -> TaskSet:
    """Return a task, which is written to a file so that it is read as any file is."""
    file = out / "tasks" / f"{name}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = list(rows_of(source, root))
    pq.write_table(pa.table({"text": [text for text, _ in rows], "label": ["|".join(own) for _, own in rows]}), file)
    return TaskSet.load(file, task="multilabel")


def compared(results: list[Result], ours_name: str) -> Iterator[str]:
    """Yield the lines of a table: each method's means over tasks and draws, and what ours gains over it."""
    cells = {(one.task, one.draw, one.method): one for one in results}
    tasks, draws = sorted({one.task for one in results}), sorted({one.draw for one in results})
    yield "| method | macro F1 | micro F1 | ECE | CPU-s | gain of ours-auto over it |"
    yield "|---|---:|---:|---:|---:|---:|"
    for method in dict.fromkeys(one.method for one in results):
        mine = [one for one in results if one.method == method]
        means = [100 * fmean(one.metrics[name] for one in mine) for name in ("macro_f1", "micro_f1", "ece")]
        seconds = fmean(one.cpu_seconds for one in mine)
        pairs = [
            [
                100 * (cells[task, draw, ours_name].score - cells[task, draw, method].score)
                for draw in draws
                if {(task, draw, ours_name), (task, draw, method)} <= cells.keys()
            ]
            for task in tasks
        ]
        gain = interval([fmean(one) for one in pairs if one])
        shown = "" if method == ours_name else gain
        yield f"| {method} | {means[0]:.1f} | {means[1]:.1f} | {means[2]:.1f} | {seconds:.2f} | {shown} |"


def interval(gains: list[float]) -> str:
    """Return the mean gain over tasks with the half-width of its 95 % interval (Student's t)."""
    if len(gains) < 2:
        return ""
    mean = fmean(gains)
    spread = (sum((one - mean) ** 2 for one in gains) / (len(gains) - 1)) ** 0.5
    return f"{mean:+.1f} ± {float(t.ppf(0.975, len(gains) - 1)) * spread / len(gains) ** 0.5:.1f}"


def main() -> None:
    """Run what is left of the evaluation, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="builtin:mini")
    parser.add_argument("--tasks", choices=sorted(CHOICES), default="A")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--without", nargs="*", default=[], help="baselines to leave out")
    args = parser.parse_args()
    model = load_model(args.model)
    assert isinstance(model, Model)
    root, out = Path(os.environ["METAGLOT_DATA"]), args.out / args.tasks
    sets = [task_set(name, source, out, root) for name, source in CHOICES[args.tasks].items()]
    names = [name for name in FLOORS if name not in args.without]
    methods = [*baselines(names, model.base()), *ours(model, ["instant", "auto"])]
    plan = Plan(shots=[args.shots], draws=args.draws, queries=args.queries, seed=0)
    write_table(out, compared(evaluated(out, sets, methods, plan), "ours-auto"))


if __name__ == "__main__":
    main()
