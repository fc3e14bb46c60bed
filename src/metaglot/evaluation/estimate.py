"""What an evaluation will cost, told before it begins: work of each method, times what a text costs here.

A text is embedded (forward) or trained on (forward, backward and its share of an optimiser's step).  Both are timed on
texts of each task.  The estimate is rough: it is there to tell minutes from hours.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from metaglot.adaptation import Effort, Encoder
from metaglot.adaptation.choice import MANY, SOME
from metaglot.adaptation.effort import AUTO
from metaglot.data.examples import Examples
from metaglot.evaluation.baselines import FineTune, Method, Ours, Prior, SetFit, Tfidf
from metaglot.evaluation.baselines.finetune import tuned_for
from metaglot.evaluation.kinds import CLASSES
from metaglot.evaluation.protocol import Cell, Plan, TaskSet
from metaglot.families.family import AnyFamily

PROBE, STEPS = 16, 2  # texts of a timed batch, and timed steps
FULL_PRECISION = 2.0  # what SetFit's fp32 costs beside bf16 where the machine has it


class Work(NamedTuple):
    """Texts that a fit and its judgement pass through the model."""

    embedded: float
    trained: float = 0.0


class Seconds(NamedTuple):
    """CPU seconds of a text of a task."""

    embedding: float
    training: float


def work_of(method: Method, *, shot: int, classes: int, queries: int, family: AnyFamily = CLASSES) -> Work:
    """Return the work of a fit to `shot` examples of each class and of judging, where that needs the model anew.

    Of other kinds of tasks, `classes` are the groups that shots count: an upper bound where rows are of several.
    """
    support = shot * classes
    if isinstance(method, Tfidf | Prior):
        return Work(0)
    if isinstance(method, FineTune):
        steps = tuned_for(shot, method.table_for(family)).steps
        return Work(support + queries, steps * support / -(-support // method.batch_size))
    if isinstance(method, SetFit):
        alike = classes * shot * (shot + 1) // 2  # with itself too
        pairs = 2 * max(alike, support * (support - 1) // 2 - classes * shot * (shot - 1) // 2)
        return Work(support + queries, 2 * pairs * FULL_PRECISION)
    return _ours(method, support, queries) if isinstance(method, Ours) else Work(support)


def _ours(method: Ours, support: int, queries: int) -> Work:
    if isinstance(method.effort, str) and method.effort == AUTO:
        tried = _stepped(SOME, support // 2, support // 2)
        final = _stepped(MANY, support, queries)
        return Work(support + 2 * tried.embedded + final.embedded, 2 * tried.trained + final.trained)
    effort = method.trained.encoder.effort(method.effort) if isinstance(method.effort, str) else method.effort
    return _stepped(effort, support, queries) if isinstance(effort, Effort) else Work(support + queries, 10 * support)


def _stepped(effort: Effort, support: int, queries: int) -> Work:
    if effort.steps == 0:
        return Work(support)
    return Work(support + queries, effort.steps * min(effort.batch_size, support))


def seconds_of(encoder: Encoder, task: TaskSet) -> Seconds:
    """Return what a text of a task costs here, timed on a few of its texts with the untouched backbone."""
    inputs = task.sample(PROBE)
    base = encoder.base()
    base.embed(inputs)  # the first call is dearer
    began = time.process_time()
    base.embed(inputs)
    embedding = (time.process_time() - began) / len(inputs)
    support = Examples(inputs, tuple(str(row % 2) for row in range(len(inputs))))
    steps = FineTune(base).trajectory(support, CLASSES, lr=0.0, stops=[1, 1 + STEPS], seed=0)
    next(steps)
    began = time.process_time()
    next(steps)
    return Seconds(embedding, (time.process_time() - began) / (STEPS * len(inputs)))


def estimated(
    left: Iterable[Cell],
    tasks: Sequence[TaskSet],
    methods: Sequence[Method],
    plan: Plan,
    seconds: Mapping[str, Seconds],
) -> dict[str, float]:
    """Return the CPU seconds of each method for the cells that are left."""
    by_name, sets = {method.name: method for method in methods}, {task.name: task for task in tasks}
    found: defaultdict[str, float] = defaultdict(float)
    for cell in left:
        task, method = sets[cell.task], by_name[cell.method]
        groups = len(task.draws.labels)
        work = work_of(method, shot=cell.shot, classes=groups, queries=plan.queries, family=task.family)
        cost = seconds[cell.task]
        found[cell.method] += work.embedded * cost.embedding + work.trained * cost.training
    return dict(found)
