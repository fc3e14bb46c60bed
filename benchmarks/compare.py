"""Algorithms side by side: each trained with the same CPU minutes, each judged as it adapts by itself.

    METAGLOT_DATA=… python -m benchmarks.compare --out results/compare
    METAGLOT_DATA=… python -m benchmarks.compare --algorithms protonet,fomaml,reml --minutes 10 --out results/few
    … --option fomaml.lr=0.05 --option reml.steps=3     settings of an algorithm beyond its defaults
    … --set training.meta_batch=2                       settings of the recipe, for all

Training is recipes/compare.yaml with the algorithm's name put in; each run stands in OUT/runs/NAME.  A new task is
adapted with the effort as-trained, by the algorithm itself with its own steps; the other efforts would be the same for
all.  Results stand in OUT/results.jsonl; with --on ray their cells are spread over a cluster, and training stays here.
Killed, the same command goes on where it stopped; an algorithm that fails is told and the others go on.  The table
(OUT/table.md, or --json) has the mean accuracy over the tasks of a group with 95 % intervals over draws, the training
steps that fitted into the budget, and the CPU seconds of a fit; a second one what each gains over the first algorithm
named.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.judging import parser_of, task_sets
from benchmarks.running import add_on, workers_on
from benchmarks.text.train import trained, words
from metaglot.adaptation import AS_TRAINED, Model, load_model
from metaglot.choices import ALGORITHMS
from metaglot.config import Recipe, load_recipe, packaged_recipes
from metaglot.data.yamltext import parse_yaml
from metaglot.errors import MetaglotError
from metaglot.evaluation import evaluate_into, read_results
from metaglot.evaluation.baselines.ours import Ours, ours
from metaglot.evaluation.protocol import Plan, TaskSet
from metaglot.evaluation.result import Result
from metaglot.evaluation.statistics import Interval, differences, macro_interval
from metaglot.report.summary import cpu_seconds, macro_mean, scores

DEFAULT = [name for name in ALGORITHMS if name != "transfer"]  # transfer trains on exactly one set
GROUPS = ("dev", "leopard")  # folders of $METAGLOT_DATA


def recipe_of(name: str, options: Mapping[str, Any], args: argparse.Namespace) -> Recipe:
    """Return the recipe with the algorithm, its options and the budget put in."""
    path = str(packaged_recipes().get(args.recipe, args.recipe))
    named = [f"name=compare-{name}", f"algorithm={json.dumps({'name': name, 'options': dict(options)})}"]
    budget = [] if args.minutes is None else [f"budget.cpu_minutes={args.minutes}"]
    return load_recipe(path, [*args.set, *named, *budget])


def compared(args: argparse.Namespace, groups: Mapping[str, Sequence[TaskSet]]) -> Iterator[dict[str, object]]:
    """Train and judge one algorithm after the other; yield a row of the table for each."""
    plan = Plan(args.shots, args.draws, args.queries, args.seed)
    tasks = [task for group in groups.values() for task in group]
    for name in args.algorithms:
        options = args.option.get(name, {})
        try:
            recipe = recipe_of(name, options, args)
            done = trained(recipe, args.out / "runs" / name)
            workers = workers_on(args.on, tasks_and_methods, args, name)
            for result in evaluate_into(args.out, tasks, [method_of(args, name)], plan, workers=workers):
                print(f"{name}: {result.task} {result.shot} shots {result.score:.3f}", file=sys.stderr)
        except MetaglotError as error:
            yield {"algorithm": name, "error": str(error)}
            continue
        rows = [row for row in read_results(args.out) if row.method == name]
        yield {"algorithm": name, "steps": done.steps, "cpu_minutes": done.cpu_minutes, **judged(rows, groups, args)}


def method_of(args: argparse.Namespace, name: str) -> Ours:
    """Return what is judged of an algorithm: the model that it trained, adapted as it was trained to be."""
    model = load_model(args.out / "runs" / name)
    (method,) = ours(Model(replace(model.encoder, max_length=args.length or model.max_length)), [AS_TRAINED])
    return replace(method, label=name)


def tasks_and_methods(args: argparse.Namespace, name: str) -> tuple[list[TaskSet], list[Ours]]:
    """Return what is judged, and on what, for a process of its own."""
    groups = task_sets(args.groups, args.leave_out)
    return [task for group in groups.values() for task in group], [method_of(args, name)]


def judged(rows: Sequence[Result], groups: Mapping[str, Sequence[TaskSet]], args: argparse.Namespace) -> dict[str, Any]:
    """Return `accuracy` by group and shot, with its interval over draws, and `cpu_seconds` of a fit by shot."""
    accuracy: dict[str, Any] = {}
    for group, tasks in groups.items():
        mine = [row for row in rows if row.task in {task.name for task in tasks}]
        means = {shot: macro_mean(mine, shot, rows[0].method) for shot in args.shots}
        accuracy[group] = {
            str(shot): {"mean": found.mean, "half": found.half if found.n > 1 else None, "draws": found.n}
            for shot, found in means.items()
            if found
        }
    seconds = {str(shot): cpu_seconds(rows, shot, rows[0].method) for shot in args.shots}
    return {"accuracy": accuracy, "cpu_seconds": seconds}


def table(rows: Sequence[Mapping[str, Any]], groups: Sequence[str], shots: Sequence[int]) -> str:
    """Return the rows as Markdown: accuracy in per cent ± half the interval."""
    names = ["algorithm", "steps", *(f"{group} {shot}" for group in groups for shot in shots), "CPU-s to adapt"]
    lines = ["| " + " | ".join(names) + " |", "|---|" + "---:|" * (len(names) - 1)]
    for row in rows:
        if "error" in row:
            lines.append(f"| {row['algorithm']} | failed: {row['error']} |")
            continue
        cells = [_cell(row["accuracy"][group].get(str(shot))) for group in groups for shot in shots]
        seconds = ", ".join(f"{row['cpu_seconds'][str(shot)]:.2f}" for shot in shots)
        lines.append("| " + " | ".join([row["algorithm"], str(row["steps"]), *cells, seconds]) + " |")
    return "\n".join([*lines, "", f"CPU-s to adapt: the median at {', '.join(map(str, shots))} shots."])


def beside(results: Sequence[Result], first: str, groups: Mapping[str, Sequence[TaskSet]], shots: Sequence[int]) -> str:
    """Return, as Markdown, what each gains over the first on the same draws, in points with 95 % intervals."""
    names = [f"over {first}", *(f"{group} {shot}" for group in groups for shot in shots)]
    lines = ["| " + " | ".join(names) + " |", "|---|" + "---:|" * (len(names) - 1)]
    for name in dict.fromkeys(row.method for row in results if row.method != first):
        cells = []
        for tasks in groups.values():
            mine = [row for row in results if row.task in {task.name for task in tasks}]
            for shot in shots:
                pair = [scores(mine, method, shot) for method in (name, first)]
                whole = all(len({task for task, _, _ in found}) == len(tasks) for found in pair)
                gain = macro_interval(differences(*pair)) if whole else None
                cells.append("" if gain is None else _gain(gain))
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)


def _gain(gain: Interval) -> str:
    interval = f" [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]" if gain.n > 1 else ""
    return f"{100 * gain.mean:+.1f}{interval}"


def _cell(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    half = "" if found["half"] is None else f" ± {100 * found['half']:.1f}"
    return f"{100 * found['mean']:.1f}{half}"


def _options(given: Sequence[str]) -> dict[str, dict[str, Any]]:
    options: dict[str, dict[str, Any]] = {}
    for one in given:
        key, found, value = one.partition("=")
        name, dot, option = key.partition(".")
        if not (found and dot) or name not in ALGORITHMS:
            raise MetaglotError(f"--option {one!r}: expected ALGORITHM.key=value, e.g. fomaml.lr=0.05")
        options.setdefault(name, {})[option] = parse_yaml(value, f"--option {one[:60]!r}")
    return options


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.set_defaults(groups=list(GROUPS), queries=200, length=None)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--algorithms", type=words, default=DEFAULT)
    parser.add_argument("--recipe", default="compare", help="a name or a file")
    parser.add_argument("--minutes", type=float, help="of CPU for each; the recipe's own if absent")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--option", action="append", default=[])
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--json", action="store_true")
    add_on(parser)
    args = parser.parse_args(given)
    args.option = _options(args.option)
    unknown = [name for name in args.algorithms if name not in ALGORITHMS]
    if unknown:
        raise MetaglotError(f"unknown algorithm {unknown[0]!r}; there are: {', '.join(ALGORITHMS)}")
    return args


def main(given: Sequence[str] | None = None) -> None:
    args = arguments(given)
    groups = task_sets(args.groups, args.leave_out)
    rows = list(compared(args, groups))
    results = [row for row in read_results(args.out) if row.method in args.algorithms]
    said = f"{table(rows, list(groups), args.shots)}\n\n{beside(results, args.algorithms[0], groups, args.shots)}"
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "compare.json").write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    (args.out / "table.md").write_text(said + "\n", "utf-8")
    print(json.dumps(rows) if args.json else said)


if __name__ == "__main__":
    try:
        main()
    except MetaglotError as error:
        sys.exit(f"compare: {error}")
