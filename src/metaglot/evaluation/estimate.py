"""The estimated cost of an evaluation: the work of each method, times the cost of a text on this machine.

A text is embedded (forward) or trained on (forward, backward and its share of an optimiser's step).  Both are timed on
texts of each task.  The estimate is rough: it separates minutes from hours.
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
from metaglot.evaluation.baselines.finetune import settings_for
from metaglot.evaluation.kinds import CLASSES
from metaglot.evaluation.protocol import Cell, Plan, TaskSet
from metaglot.families.family import AnyFamily

TIMED_TEXTS, TIMED_STEPS = 16, 2  # texts of a timed batch, and timed steps
FULL_PRECISION = 2.0  # the cost of SetFit's fp32 relative to bf16


class Work(NamedTuple):
    """Texts that a fit and its judgement pass through the model."""

    embedded: float
    trained: float = 0.0


class Seconds(NamedTuple):
    """CPU seconds of a text of a task."""

    embedding: float
    training: float


def work_of(method: Method, *, shot: int, classes: int, queries: int, family: AnyFamily = CLASSES) -> Work:
    """Return the work of a fit to `shot` examples of each class, and of judging where queries are embedded again.

    For other kinds of tasks, `classes` are the groups that shots count: an upper bound where a row is of several.
    """
    support = shot * classes
    if isinstance(method, Tfidf | Prior):
        return Work(0)
    if isinstance(method, FineTune):
        steps = settings_for(shot, method.table_for(family)).steps
        return Work(support + queries, steps * support / -(-support // method.batch_size))
    if isinstance(method, SetFit):
        same_class = classes * shot * (shot + 1) // 2  # with itself too
        pairs = 2 * max(same_class, support * (support - 1) // 2 - classes * shot * (shot - 1) // 2)
        return Work(support + queries, 2 * pairs * FULL_PRECISION)
    return _ours(method, support, queries) if isinstance(method, Ours) else Work(support)


def _ours(method: Ours, support: int, queries: int) -> Work:
    if isinstance(method.effort, str) and method.effort == AUTO:
        trial = _step_work(SOME, support // 2, support // 2)
        final = _step_work(MANY, support, queries)
        return Work(support + 2 * trial.embedded + final.embedded, 2 * trial.trained + final.trained)
    effort = method.meta_model.encoder.effort(method.effort) if isinstance(method.effort, str) else method.effort
    return _step_work(effort, support, queries) if isinstance(effort, Effort) else Work(support + queries, 10 * support)


def _step_work(effort: Effort, support: int, queries: int) -> Work:
    if effort.steps == 0:
        return Work(support)
    return Work(support + queries, effort.steps * min(effort.batch_size, support))


def seconds_of(encoder: Encoder, task: TaskSet) -> Seconds:
    """Return the cost of a text of a task on this machine, timed on a few of its texts with the untouched backbone."""
    inputs = task.sample(TIMED_TEXTS)
    base = encoder.base()
    base.embed(inputs)  # the first call costs more
    start = time.process_time()
    base.embed(inputs)
    embedding = (time.process_time() - start) / len(inputs)
    support = Examples(inputs, tuple(str(row % 2) for row in range(len(inputs))))
    steps = FineTune(base).trajectory(support, CLASSES, lr=0.0, stops=[1, 1 + TIMED_STEPS], seed=0)
    next(steps)
    start = time.process_time()
    next(steps)
    return Seconds(embedding, (time.process_time() - start) / (TIMED_STEPS * len(inputs)))


def estimate_seconds(
    cells: Iterable[Cell],
    tasks: Sequence[TaskSet],
    methods: Sequence[Method],
    plan: Plan,
    seconds: Mapping[str, Seconds],
) -> dict[str, float]:
    """Return an estimate of the CPU seconds of each method for these cells."""
    by_name, task_by_name = {method.name: method for method in methods}, {task.name: task for task in tasks}
    totals: defaultdict[str, float] = defaultdict(float)
    for cell in cells:
        task, groups = task_by_name[cell.task], len(task_by_name[cell.task].draws.labels)
        work = work_of(by_name[cell.method], shot=cell.shot, classes=groups, queries=plan.queries, family=task.family)
        text_cost = seconds[cell.task]
        totals[cell.method] += work.embedded * text_cost.embedding + work.trained * text_cost.training
    return dict(totals)
