"""What a model can do before there are many examples: from names of classes, and with texts of none of the classes.

    METAGLOT_DATA=… python -m benchmarks.first_examples builtin:mini
    … --groups dev --against builtin:minilm --draws 5 --known banking77=20

The first table: accuracy in % with no example, one and two of each class, with the names of the classes and without,
for tasks whose labels are words.  The second: a part of the classes of each task is known (`--known TASK=COUNT`; else
all but a third), with 8 examples of each; AUROC of `in_scope` for texts of these classes and of the others, and how
many of either it lets in at one half.  Texts are cut at 96 tokens; nothing takes a gradient step.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from benchmarks.judging import parser_of, task_sets
from metaglot.adaptation import Adapted, Model
from metaglot.adaptation.load import load_encoder
from metaglot.data.examples import Examples
from metaglot.data.names import names_of
from metaglot.errors import MetaglotError
from metaglot.evaluation.protocol import TaskSet
from metaglot.seeds import fold, generator

SHOT = 8  # of the known classes
MOST = 150  # texts asked of either side


def accuracy(adapted: Adapted, asked: Examples[str]) -> float:
    """Return the share of texts that get their label."""
    said = adapted.predict(asked.inputs.texts, asked.inputs.pairs)
    return float(np.mean([one == label for one, label in zip(said, asked.targets, strict=True)]))


def with_names(model: Model, task: TaskSet, shots: Sequence[int], draws: int, queries: int) -> Iterator[list[float]]:
    """Yield accuracies with names and without (none without examples), for each number of examples."""
    asked = task.examples(task.queries(queries, fold(0, "queries", task.name)))
    labels = sorted(set(map(str, task.table["label"].to_pylist())))
    for shot in shots:
        if not shot:
            yield [accuracy(model.zero_shot(labels), asked)]
            continue
        found: list[list[float]] = []
        for draw in range(draws):
            support = task.support(shot, draw)
            found.append(
                [
                    accuracy(model.adapt(support.inputs.texts, support.targets, effort="instant", names=names), asked)
                    for names in (True, False)
                ]
            )
        yield [float(value) for value in np.mean(found, axis=0)]


class Scope(NamedTuple):
    """What one draw says of texts of none of the classes."""

    auroc: float
    outside: float  # share let in
    inside: float


def scope(model: Model, task: TaskSet, known: int, draw: int) -> Scope:
    """Return how well texts of `known` classes, drawn at random, are told from those of the others."""
    random = generator(0, "scope", task.name, draw)
    labels = np.array(list(map(str, task.table["label"].to_pylist())))
    order = random.permutation(len(labels))
    classes = random.permutation(sorted(set(labels)))[:known]
    rows = {label: order[labels[order] == label] for label in classes}
    support = task.examples(np.concatenate([members[:SHOT] for members in rows.values()]))
    within = np.concatenate([members[SHOT:] for members in rows.values()])
    without = order[~np.isin(labels[order], classes)]
    asked = [task.examples(random.permutation(side)[:MOST]) for side in (within, without)]
    adapted = model.adapt(support.inputs.texts, support.targets, pairs=support.inputs.pairs, effort="instant")
    inside, outside = (adapted.in_scope(one.inputs.texts, one.inputs.pairs) for one in asked)
    truth = np.repeat([1, 0], [len(inside), len(outside)])
    auroc = roc_auc_score(truth, np.concatenate([inside, outside]))
    return Scope(float(auroc), float((outside >= 0.5).mean()), float((inside >= 0.5).mean()))


def main(given: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__, shots=[0, 1, 2], draws=10)
    parser.add_argument("model")
    parser.add_argument("--against", default="builtin:minilm", help="another model, set beside it")
    parser.add_argument("--known", type=lambda said: said.split("="), action="append", default=[])
    args = parser.parse_args(given)
    torch.set_num_threads(1)
    models = {name: Model(replace(load_encoder(name), max_length=args.length)) for name in (args.model, args.against)}
    counts = {task: int(count) for task, count in args.known}
    tasks = [task for group in task_sets(args.groups, args.leave_out).values() for task in group]
    columns = [what for shot in args.shots for what in ([f"{shot}"] if not shot else [f"{shot}", f"{shot}, no names"])]
    print(f"| task | model | {' | '.join(columns)} |\n|---|---|{'---:|' * len(columns)}")
    for task in tasks:
        labels = sorted(set(map(str, task.table["label"].to_pylist())))
        if not all(names_of(labels)) or task.sample(1).pairs is not None:
            continue
        for name, model in models.items():
            found = [x for row in with_names(model, task, args.shots, args.draws, args.queries) for x in row]
            print(f"| {task.name} | {name} | {' | '.join(f'{100 * x:.1f}' for x in found)} |", flush=True)
    print("\n| task | model | known of all | AUROC | outside let in | inside let in |\n|---|---|---|---:|---:|---:|")
    for task in tasks:
        many = len(set(task.table["label"].to_pylist()))
        known = counts.get(task.name, max(2, many - -(-many // 3)))
        if known >= many:  # of two classes nothing is left outside
            continue
        for name, model in models.items():
            mean = np.mean([scope(model, task, known, draw) for draw in range(args.draws)], axis=0)
            cells = " | ".join(f"{value:.3f}" for value in mean)
            print(f"| {task.name} | {name} | {known} of {many} | {cells} |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except MetaglotError as error:
        sys.exit(f"first_examples: {error}")
