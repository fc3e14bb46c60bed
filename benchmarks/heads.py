"""The heads that an adaptation without gradient steps may end with: each for all tasks, and the one that it takes.

    METAGLOT_DATA=… python -m benchmarks.heads builtin:mini
    … --groups dev,leopard,aside=FOLDER --leave-out banking77 --shots 4,8 --draws 3

Class means plus ridge regression (`ridge`), logistic regression (`logistic`), and the one of them that tells examples
set aside better (`taken`): accuracy and calibration error (10 bins of equal mass) in %, mean over tasks and draws; and
the share of draws in which logistic regression is taken.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.auto import error_of
from benchmarks.judging import parser_of, task_sets
from metaglot.adaptation import Model, load_model
from metaglot.errors import MetaglotError
from metaglot.evaluation.protocol import TaskSet
from metaglot.families.heads.classes import Solver, blend, held_out_score, solver_of
from metaglot.seeds import fold

SOLVERS: tuple[Solver, ...] = ("ridge", "logistic")


class Judged(NamedTuple):
    """Accuracy and calibration error of each head for one draw."""

    accuracy: tuple[float, ...]  # ridge, logistic, taken
    error: tuple[float, ...]
    logistic: bool  # is taken


def judged(model: Model, task: TaskSet, shot: int, draws: int, queries: int) -> Iterator[Judged]:
    """Yield what the heads are worth, by draw."""
    asked = task.examples(task.queries(queries, fold(0, "queries", task.name)))
    for draw in range(draws):
        support = task.support(shot, draw)
        adapted = model.adapt(support.inputs.texts, support.targets, pairs=support.inputs.pairs, effort="instant")
        reader, rows, classes = adapted.fit.encoder, adapted.fit.units, len(adapted.labels)
        assert rows is not None
        features = reader.features(reader.meta, asked.inputs).cpu().numpy()
        truth = np.array([adapted.labels.index(label) for label in asked.targets])
        taken, beta = solver_of(rows, classes, model.encoder.metric)
        betas = {one: held_out_score(rows, classes, model.encoder.metric, one).beta for one in SOLVERS}
        heads = [blend(rows, classes, model.encoder.metric, solver=one, beta=betas[one]) for one in SOLVERS]
        heads.append(blend(rows, classes, model.encoder.metric, solver=taken, beta=beta))
        found = [replace(adapted.fit, params=head).values(features) for head in heads]
        right = [chances.argmax(1) == truth for chances in found]
        errors = (error_of(chances, hits) for chances, hits in zip(found, right, strict=True))
        yield Judged(tuple(float(hits.mean()) for hits in right), tuple(errors), taken == "logistic")


def row(name: str, shot: int, found: Sequence[Judged]) -> str:
    """Return a row of the table."""
    accuracy, error = (100 * np.mean([getattr(one, part) for one in found], axis=0) for part in ("accuracy", "error"))
    cells = " | ".join(f"{a:.1f}, {e:.1f}" for a, e in zip(accuracy, error, strict=True))
    return f"| {name} | {shot} | {cells} | {np.mean([one.logistic for one in found]):.2f} |"


def main(given: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument("model")
    args = parser.parse_args(given)
    torch.set_num_threads(1)
    model = Model(replace(load_model(args.model).encoder, max_length=args.length))
    print("| tasks | shots | ridge | logistic | taken | logistic is taken |\n|---|---:|---:|---:|---:|---:|")
    for group, tasks in task_sets(args.groups, args.leave_out).items():
        for shot in args.shots:
            rows = {task.name: list(judged(model, task, shot, args.draws, args.queries)) for task in tasks}
            for name, found in rows.items():
                print(row(name, shot, found), flush=True)
            print(row(f"{group}, all", shot, [one for found in rows.values() for one in found]), flush=True)


if __name__ == "__main__":
    try:
        main()
    except MetaglotError as error:
        sys.exit(f"heads: {error}")
