"""The evaluation itself: every method on the same supports and queries, one result a cell."""

import time
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metaglot.errors import MetaglotError
from metaglot.evaluation.baselines.method import Method
from metaglot.evaluation.metrics import judge
from metaglot.evaluation.protocol import Cell, Plan, TaskSet, cells, unique
from metaglot.evaluation.store import OVERLAP, Result, append, resume
from metaglot.seeds import fold


def evaluate(
    task_sets: Sequence[TaskSet],
    methods: Sequence[Method],
    plan: Plan,
    *,
    done: Container[Cell] = frozenset[Cell](),
) -> Iterator[Result]:
    """Yield the result of each cell that is not in `done`, draw by draw; a function of the plan's seed.

    The caller may stop early: what came so far is balanced over tasks, shots and methods.  CPU seconds are those of
    `fit` alone.  Raises MetaglotError for names used twice, for a plan that asks for nothing, and for what the
    tasks cannot give.
    """
    tasks, by_name = unique(task_sets), _unique_methods(methods)
    _check(plan, task_sets)
    queries = {name: _Queries.of(task_set, plan) for name, task_set in tasks.items()}
    for cell in cells(list(tasks), list(by_name), plan):
        if cell not in done:
            yield _result(cell, tasks[cell.task], by_name[cell.method], queries[cell.task], plan.seed)


def evaluate_into(
    out: str | Path,
    task_sets: Sequence[TaskSet],
    methods: Sequence[Method],
    plan: Plan,
    *,
    force: bool = False,
) -> Iterator[Result]:
    """Yield the results that `out` lacks, each after it was written to `out/results.jsonl`.

    A killed evaluation goes on where it stopped.  More methods, tasks, shots or draws may be added to a directory
    later; another seed, number of queries, version of a task or setting of a method is refused unless `force`
    starts the directory afresh.  Raises MetaglotError there, and where `evaluate` does.
    """
    unique(task_sets)
    _unique_methods(methods)
    _check(plan, task_sets)
    kept = resume(Path(out), settings_of(task_sets, methods, plan), force=force)
    for result in evaluate(task_sets, methods, plan, done={result.cell for result in kept}):
        append(Path(out), result)
        yield result


def settings_of(task_sets: Sequence[TaskSet], methods: Sequence[Method], plan: Plan) -> dict[str, object]:
    """Return what results depend on besides their cell, as flat JSON: `seed`, `task NAME`, `method NAME`, …"""
    excluded = any(task_set.left_out is not None for task_set in task_sets)
    settings: dict[str, object] = {"seed": plan.seed, "queries": plan.queries}
    settings[OVERLAP] = "excluded" if excluded else "kept"
    settings |= {f"task {task_set.name}": task_set.fingerprint() for task_set in task_sets}
    return settings | {f"method {m.name}": {"model": m.model, **m.settings} for m in methods}


def query_rows(task_set: TaskSet, plan: Plan) -> np.ndarray:
    """Return the positions of the queries that a plan judges on."""
    return task_set.queries(plan.queries, fold(plan.seed, "queries", task_set.name))


@dataclass(frozen=True)
class _Queries:
    """The queries of a task, the same for every cell."""

    texts: list[str]
    pairs: list[str] | None
    labels: list[str]

    @classmethod
    def of(cls, task_set: TaskSet, plan: Plan) -> "_Queries":
        return cls(*task_set.examples(query_rows(task_set, plan)))


def _result(cell: Cell, task_set: TaskSet, method: Method, queries: _Queries, seed: int) -> Result:
    support = task_set.support(cell.shot, cell.draw)
    fit_seed = fold(seed, "fit", cell.task, cell.shot, cell.draw)
    before = time.process_time()
    fitted = method.fit(support.texts, support.pairs, support.labels, shot=cell.shot, seed=fit_seed)
    seconds = time.process_time() - before
    metrics = judge(fitted.labels, fitted.predict_proba(queries.texts, queries.pairs), queries.labels)
    return Result(
        *cell,
        accuracy=metrics.accuracy,
        macro_f1=metrics.macro_f1,
        ece=metrics.ece,
        cpu_seconds=round(seconds, 4),
        queries=len(queries.labels),
        support=len(support.labels),
        seed=seed,
        model=method.model,
        bins=metrics.bins,
    )


def _unique_methods(methods: Sequence[Method]) -> Mapping[str, Method]:
    by_name = {method.name: method for method in methods}
    if not by_name or len(by_name) < len(methods):
        names = ", ".join(method.name for method in methods) or "none"
        raise MetaglotError(f"Methods need distinct names, and at least one is needed; got: {names}.")
    return by_name


def _check(plan: Plan, task_sets: Sequence[TaskSet]) -> None:
    """Raise MetaglotError for what cannot be drawn, before hours of work."""
    bad = [f"shots {shot}" for shot in plan.shots if shot < 1]
    bad += [] if plan.shots else ["no shots"]
    bad += [f"{name} {value}" for name, value in (("draws", plan.draws), ("queries", plan.queries)) if value < 1]
    if bad:
        raise MetaglotError(f"Shots, draws and queries must each be 1 or more; got {', '.join(bad)}.")
    for task_set in task_sets:
        for shot in plan.shots:
            task_set.support(shot, plan.draws - 1)
