"""One run over unlike kinds of tasks: what each kind gains or loses against a run of its own with as many steps.

    METAGLOT_DATA=… python -m benchmarks.mixed --out results/mixed

Runs are made from recipes/mixed.yaml: one for each kind alone (an episode of it a step), and runs over all kinds (six
episodes a step, so that each kind has about one of them) with the mean of the gradients as they are (`mean`), on one
scale (`scaled`), and on one scale with PCGrad (`pcgrad`).  `without-KIND` is `scaled` without that kind, which is new
to it then.  They are judged by the effort instant on tasks that no run has seen, and on a kind that is left out of all:
ratings of films by a user.  Killed, the same command goes on.
"""

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import torch

from benchmarks.answer_tasks import task_sets
from benchmarks.choice_sets import DIALOGUES, DRAWS, write
from benchmarks.models import load
from benchmarks.multilabel import interval
from metaglot.adaptation import Model
from metaglot.assembly import assemble, write_run_files
from metaglot.config import Recipe, dump_recipe, load_recipe, packaged_recipes
from metaglot.evaluation import Plan, TaskSet, evaluate_into, read_results
from metaglot.evaluation.baselines import ours
from metaglot.evaluation.result import Result
from metaglot.families.question_answering import AnswerFamily
from metaglot.training import run

KINDS = ("classes", "pairs", "labels", "spans", "answers", "choices")  # of the sets of the recipe, in its order
MIXED: Mapping[str, tuple[str, ...]] = {
    "mean": ("training.balance=none", "training.combine=mean"),
    "scaled": ("training.balance=kinds", "training.combine=mean"),
    "pcgrad": ("training.balance=kinds", "training.combine=pcgrad"),
}
WITHOUT = "without-"
GAINS = (
    ("scaled", "alone"),
    ("pcgrad", "alone"),
    ("pcgrad", "scaled"),
    ("pcgrad", "base"),
    ("scaled", "base"),
    ("without", "base"),
)
WINDOW = {"answers": 160}  # tokens of a text where a kind is judged; else what the recipe says


class Judged(NamedTuple):
    """Tasks of a kind that no run has seen, and the shots that they are learnt from."""

    files: tuple[tuple[str, str | None], ...]  # a file, and the kind of its tasks
    domains: tuple[str, ...]  # those of its domains that are tasks; none: the file is one
    shots: int
    columns: Mapping[str, str] | None = None
    draws: int = 10  # at most


TASKS: Mapping[str, Judged] = {
    "classes": Judged((("dev/trec6", None), ("dev/tweeteval-emotion", None)), (), 8),
    "pairs": Judged((("train/mrpc", None), ("train/rte", None)), (), 8),
    "labels": Judged((("multilabel/debtags", "multilabel"),), ("field", "made-of"), 8),
    "spans": Judged((("tagging/snips-slots", "tagging"),), ("BookRestaurant", "SearchScreeningEvent"), 5),
    "numbers": Judged(
        (("recommendation/movielens", "regression"),),
        ("414", "599", "474", "448"),
        16,
        {"text": "text", "label": "rating", "domain": "user"},
    ),
    "answers": Judged((), (), 16),  # of articles (`benchmarks/answers.py`)
    "choices": Judged((), ("Calendar_1", "Movies_2", "RideSharing_2"), DIALOGUES, draws=DRAWS),
}


def tasks_of(kind: str, root: Path, out: Path) -> list[TaskSet]:
    """Return the tasks of a kind; sets of choices are written into `out`."""
    judged = TASKS[kind]
    if kind == "answers":
        return [replace(one, family=AnswerFamily()) for one in task_sets(root, ["xquad-en"])]
    if kind == "choices":
        write(out / "sets", root)
        judged = judged._replace(files=((str((out / "sets" / "test").resolve()), "choice"),))
    return _tasks_in_files(judged, root)


def _tasks_in_files(judged: Judged, root: Path) -> list[TaskSet]:
    tasks = [
        task
        for file, name in judged.files
        for task in TaskSet.load_all(
            root / f"{file}.parquet", task=name, by_domain=bool(judged.domains), mapping=judged.columns
        )
    ]
    return [task for task in tasks if not judged.domains or task.name.rpartition("/")[2] in judged.domains]


def recipe_of(name: str, steps: int) -> Recipe:
    """Return the recipe of a run by its name."""
    recipe = load_recipe(packaged_recipes()["mixed"])
    changes = [f"training.steps={steps}", f"training.save_every={steps}", "data.validation=[]", f"name={name}"]
    if name in MIXED:
        return load_recipe(packaged_recipes()["mixed"], [*changes, *MIXED[name]])
    without = name.removeprefix(WITHOUT) if name.startswith(WITHOUT) else ""
    kept = [kind for kind in KINDS if kind != without] if without else [name]
    own = [recipe.data.train[KINDS.index(kind)].model_dump(mode="json", exclude_defaults=True) for kind in kept]
    changes += [f"data.train={json.dumps(own)}", f"training.meta_batch={len(kept)}"]
    return load_recipe(packaged_recipes()["mixed"], [*changes, *MIXED["scaled" if without else "mean"]])


def trained(folder: Path, recipe: Recipe) -> None:
    """Train a run, or go on with it."""
    assembled = assemble(recipe, run=folder if folder.exists() else None)
    if not folder.exists():
        write_run_files(folder, dump_recipe(recipe), assembled.description, base=assembled.base)
    *_, last = run(assembled.plan, folder)
    print(folder.name, last.state.step, f"{last.state.cpu_seconds:.0f} CPU-s", flush=True)


def table(results: Mapping[str, Sequence[Result]]) -> Iterator[str]:
    """Yield the lines of a table: gains are points, or hundredths of a star, above 0 where the first run is better."""
    named = {kind: [replace(one, method=_column(one.method, kind)) for one in own] for kind, own in results.items()}
    met = {one.method for own in named.values() for one in own}
    runs = [name for name in ("base", "alone", *MIXED, "without") if name in met]
    gains = [(a, b) for a, b in GAINS if {a, b} <= met]
    yield f"| kind | metric | {' | '.join(runs)} | {' | '.join(f'{a} − {b}' for a, b in gains)} |"
    yield f"|---|---|{'---:|' * (len(runs) + len(gains))}"
    for kind, own in named.items():
        cells = {(one.method, one.task, one.draw): one for one in own}
        metric, digits = own[0].metric, 1 if own[0].metric.scale > 1 else 3
        factor = max(100.0, metric.scale)  # hundredths of a star for numbers
        where = sorted({(one.task, one.draw) for one in own})
        here = [name for name in runs if (name, *where[0]) in cells]
        means = {name: fmean(cells[name, *at].score for at in where) for name in here}
        found = [
            interval([factor * metric.gain(cells[a, *at].score, cells[b, *at].score) for at in where])
            if a in here and b in here
            else ""
            for a, b in gains
        ]
        numbers = [f"{metric.scale * means[name]:.{digits}f}" if name in means else "" for name in runs]
        yield f"| {kind} | {metric.axis} | {' | '.join(numbers)} | {' | '.join(found)} |"


def _column(run: str, kind: str) -> str:
    return {kind: "alone", f"{WITHOUT}{kind}": "without"}.get(run, run)


def main() -> None:
    """Train what is not trained, judge what is not judged, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--train", action="store_true", help="train alone")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--runs", default=",".join((*KINDS, *MIXED)))
    args = parser.parse_args()
    torch.set_num_threads(1)
    names, root = args.runs.split(","), Path(os.environ["METAGLOT_DATA"])
    for name in names:
        trained(args.out / "runs" / name, recipe_of(name, args.steps))
    if args.train:
        return
    models = {name: load(str(args.out / "runs" / name)) for name in names} | {"base": load("builtin:minilm")}
    length = load_recipe(packaged_recipes()["mixed"]).model.max_length
    results: dict[str, list[Result]] = {}
    for kind, judged in TASKS.items():
        own = [
            (name, Model(replace(model.encoder, max_length=WINDOW.get(kind, length))))
            for name, model in models.items()
            if name in ("base", kind, f"{WITHOUT}{kind}", *MIXED)
        ]
        methods = [replace(method, label=name) for name, model in own for method in ours(model, ["instant"])]
        plan = Plan(shots=[judged.shots], draws=min(args.draws, judged.draws), queries=args.queries, seed=0)
        for one in evaluate_into(args.out / kind, tasks_of(kind, root, args.out), methods, plan):
            print(json.dumps([*one.cell, round(one.score, 4)]), flush=True)
        results[kind] = list(read_results(args.out / kind))
    lines = list(table(results))
    (args.out / "table.md").write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
