"""Variations of an effort with gradient steps beside each other, on the same draws.

    METAGLOT_DATA=… python -m benchmarks.efforts builtin:mini --vary contrast=0,1 --out results/contrast
    … --effort thorough --vary kept=0,0.5 --groups dev,aside=FOLDER --leave-out banking77 --shots 4,8 --draws 2

`--effort` is one of fast, some, many (the 6 and 20 steps that auto tries and takes) and thorough; `--vary` names a
field of it (`adaptation/effort.py`) and its values, of which the others are compared with the first.  Accuracy in %,
and the mean with its paired 95 % interval over draws.  Killed, the same command goes on where it
stopped.  With --on ray the cells are spread over a cluster.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from itertools import product
from pathlib import Path
from statistics import fmean

import torch

from benchmarks.judging import parser_of, task_sets
from benchmarks.running import add_on, workers_on
from benchmarks.text.train import words
from metaglot.adaptation import Effort, Model, load_model
from metaglot.adaptation.choice import MANY, SOME
from metaglot.adaptation.effort import EFFORTS
from metaglot.errors import MetaglotError
from metaglot.evaluation import evaluate_into, read_results
from metaglot.evaluation.baselines.ours import Ours, ours
from metaglot.evaluation.protocol import Plan, TaskSet
from metaglot.evaluation.statistics import Scores, differences, macro_interval

STEPPED: Mapping[str, Effort] = {"fast": EFFORTS["fast"], "some": SOME, "many": MANY, "thorough": EFFORTS["thorough"]}
VARIED = {field.name for field in fields(Effort) if isinstance(getattr(SOME, field.name), float | int)} - {"names"}


def variations(model: Model, effort: Effort, vary: str) -> list[Ours]:
    """Return the efforts that `field=value,value` asks for; raise MetaglotError for a field without numbers."""
    field, _, values = vary.partition("=")
    if field not in VARIED or not values:
        raise MetaglotError(f"--vary {vary!r}: expected FIELD=VALUE,VALUE, of {', '.join(sorted(VARIED))}")
    kind = type(getattr(SOME, field))
    try:
        found = [(f"{field}={v}", replace(effort, **{field: kind(v)})) for v in words(values)]
    except ValueError as error:
        raise MetaglotError(f"--vary {vary!r}: {field} takes numbers ({error})") from error
    return [replace(method, label=name) for name, one in found for method in ours(model, [one])]


def table(found: Mapping[str, Scores], groups: Mapping[str, Sequence[str]], shots: Sequence[int]) -> str:
    """Return a row for each task and group, with what each variation gains over the first."""
    names = list(found)
    lines = [f"| tasks | shots | {' | '.join(names)} |", f"|---|---:|{'---:|' * len(names)}"]
    for group, shot in product(groups, shots):
        for name, tasks in [*((task, [task]) for task in groups[group]), (f"{group}, all", groups[group])]:
            mine = {n: {k: v for k, v in s.items() if k[0] in tasks and k[1] == shot} for n, s in found.items()}
            cells = [f"{100 * fmean(mine[names[0]].values()):.1f}"]
            for other in names[1:]:
                gain = macro_interval(differences(mine[other], mine[names[0]]))
                cells.append(
                    f"{100 * fmean(mine[other].values()):.1f} ({100 * gain.mean:+.1f} ± {100 * gain.half:.1f})"
                )
            lines.append(f"| {name} | {shot} | {' | '.join(cells)} |")
    return "\n".join(lines)


def tasks_and_methods(args: argparse.Namespace) -> tuple[list[TaskSet], list[Ours]]:
    """Return what is judged, and on what, for a process of its own."""
    model = Model(replace(load_model(args.model).encoder, max_length=args.length))
    tasks = [task for sets in task_sets(args.groups, args.leave_out).values() for task in sets]
    return tasks, variations(model, STEPPED[args.effort], args.vary)


def main(given: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, shots=[8], draws=3)
    parser.set_defaults(leave_out=["banking77"])
    parser.add_argument("model")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--effort", choices=STEPPED, default="many")
    parser.add_argument("--vary", required=True, help="FIELD=VALUE,VALUE")
    add_on(parser)
    args = parser.parse_args(given)
    torch.set_num_threads(1)
    groups = task_sets(args.groups, args.leave_out)
    tasks, methods = tasks_and_methods(args)
    plan = Plan(args.shots, args.draws, args.queries, 0)
    workers = workers_on(args.on, tasks_and_methods, args)
    for one in evaluate_into(args.out, tasks, methods, plan, workers=workers):
        print(f"{one.method}: {one.task} {one.shot} shots, draw {one.draw}: {one.score:.3f}", file=sys.stderr)
    found: dict[str, dict[tuple[str, int, int], float]] = {method.name: {} for method in methods}
    for one in read_results(args.out):
        if one.method in found and one.draw < args.draws:
            found[one.method][one.task, one.shot, one.draw] = one.score
    print(table(found, {group: [task.name for task in sets] for group, sets in groups.items()}, args.shots))


if __name__ == "__main__":
    try:
        main()
    except MetaglotError as error:
        sys.exit(f"efforts: {error}")
