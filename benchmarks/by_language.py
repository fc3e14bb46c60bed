"""Accuracy by language: a model, its base and TF-IDF, on the languages of labelled sets, 8 shots in closed form.

    METAGLOT_DATA=… python -m benchmarks.by_language builtin:mini --out results/languages

Sets of one language each are drawn from those of many (`--sets`).  Intervals are over draws, of the difference paired.
Killed, the same command goes on where it stopped.  With --on ray the cells are spread over a cluster.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import pyarrow.compute as pc
import torch

from benchmarks.running import add_on, workers_on
from benchmarks.text.train import words
from metaglot.adaptation import Model, load_model
from metaglot.data.draws import draws_of
from metaglot.data.readers import read_table
from metaglot.errors import MetaglotError
from metaglot.evaluation import Plan, evaluate_into, read_results
from metaglot.evaluation.baselines.method import Method
from metaglot.evaluation.baselines.ours import ours
from metaglot.evaluation.baselines.tfidf import Tfidf
from metaglot.evaluation.protocol import TaskSet
from metaglot.evaluation.result import Result
from metaglot.evaluation.statistics import Interval, differences, macro_interval, paired_difference, t_interval
from metaglot.report.summary import scores

METHODS = {"model": "ours-instant", "base": "ours-instant", "tfidf": "tfidf"}  # of each arm
FEWEST = 50  # rows of every class that a language needs
SETS = ("xlmt-sentiment", "nusax-sentiment", "afrisenti", "masakhanews")
TRAINED = ("nusax-sentiment/english", "afrisenti/pcm")  # by recipes/mini.yaml


def languages_of(name: str, root: Path, without: Sequence[str]) -> Iterator[TaskSet]:
    """Yield a task of each language of a set in $METAGLOT_DATA/train, but of those SET/LANGUAGE in `without`."""
    table = read_table(root / "train" / f"{name}.parquet")
    for language in sorted(set(table["lang"].to_pylist())):
        own = table.filter(pc.equal(table["lang"], language))
        counts = own.group_by("label").aggregate([("label", "count")])["label_count"].to_pylist()
        if f"{name}/{language}" not in without and min(counts) >= FEWEST and len(counts) > 1:
            yield TaskSet(f"{name}, {language}", own, draws_of(own))


def said(interval: Interval, *, signed: bool = False) -> str:
    """Return an interval in per cent."""
    half = "" if interval.n < 2 else f" ± {100 * interval.half:.1f}"
    return f"{100 * interval.mean:{'+' if signed else ''}.1f}{half}"


def rows_of(found: Mapping[str, Sequence[Result]], sets: Sequence[str], shot: int) -> Iterator[str]:
    """Yield a row for each language, and for each set the mean over its languages."""
    arms = [scores(results, METHODS[arm], shot) for arm, results in found.items()]
    for name in sets:
        own = [{key: value for key, value in one.items() if key[0].startswith(f"{name}, ")} for one in arms]
        for task in dict.fromkeys(key[0] for key in own[0]):
            each = [{key: value for key, value in one.items() if key[0] == task} for one in own]
            means = [said(t_interval(list(one.values()))) for one in each]
            yield _row(task, means, [paired_difference(each[0], other) for other in each[1:]])
        gains = [macro_interval(differences(own[0], other)) for other in own[1:]]
        yield _row(f"**{name}, mean**", [said(macro_interval(one)) for one in own], gains)


def _row(task: str, means: Sequence[str], gains: Sequence[Interval]) -> str:
    return "| " + " | ".join([task, *means, *(said(gain, signed=True) for gain in gains)]) + " |"


def model_of(args: argparse.Namespace) -> Model:
    """Return the model that is judged."""
    return Model(replace(load_model(args.model).encoder, max_length=args.length))


def tasks_of(args: argparse.Namespace) -> list[TaskSet]:
    """Return the tasks of all sets."""
    root = Path(os.environ["METAGLOT_DATA"])
    return [task for name in args.sets for task in languages_of(name, root, args.without)]


def methods_of(model: Model, arm: str) -> Sequence[Method]:
    """Return what is judged in an arm, a name of METHODS."""
    return [Tfidf()] if arm == "tfidf" else ours(model if arm == "model" else model.base(), ["instant"])


def tasks_and_methods(args: argparse.Namespace, arm: str) -> tuple[list[TaskSet], Sequence[Method]]:
    """Return what is judged in an arm, and on what, for a process of its own."""
    return tasks_of(args), methods_of(model_of(args), arm)


def main(given: Sequence[str] | None = None) -> None:
    """Judge both models and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", type=words, default=list(SETS))
    parser.add_argument("--without", type=words, default=list(TRAINED), help="languages that the model was trained on")
    parser.add_argument("--shot", type=int, default=8)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--length", type=int, default=96, help="tokens a text")
    add_on(parser)
    args = parser.parse_args(given)
    torch.set_num_threads(1)
    model, tasks, plan = model_of(args), tasks_of(args), Plan([args.shot], args.draws, args.queries, 0)
    found: dict[str, Sequence[Result]] = {}
    for arm in METHODS:
        workers = workers_on(args.on, tasks_and_methods, args, arm)
        for result in evaluate_into(args.out / arm, tasks, methods_of(model, arm), plan, workers=workers):
            print(f"{arm}: {result.task} {result.score:.3f}", file=sys.stderr)
        found[arm] = read_results(args.out / arm)
    names = (model.name, model.base().name, "tfidf")
    header = ["language", *names, *(f"{model.name} − {name}" for name in names[1:])]
    lines = [f"| {' | '.join(header)} |", "|---|" + "---:|" * (len(header) - 1)]
    lines += rows_of(found, args.sets, args.shot)
    table = "\n".join(lines)
    (args.out / "table.md").write_text(table + "\n", "utf-8")
    print(table)


if __name__ == "__main__":
    try:
        main()
    except MetaglotError as error:
        sys.exit(f"by_language: {error}")
