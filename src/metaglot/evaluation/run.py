"""Runs an evaluation: every method on the same support sets and queries, one result for each cell."""

from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from types import MappingProxyType

from metaglot.data.arguments import check_is, check_path, check_switch
from metaglot.data.locks import writing
from metaglot.evaluation.baselines.method import Method
from metaglot.evaluation.judge import Judge, refusals
from metaglot.evaluation.on_ray import judge_on_ray
from metaglot.evaluation.protocol import Cell, Plan, TaskSet
from metaglot.evaluation.result import Result
from metaglot.evaluation.store import NOT_JUDGED, OVERLAP, append, resume
from metaglot.evaluation.workers import Workers, judge_in_processes


def evaluate(
    task_sets: Sequence[TaskSet],
    methods: Sequence[Method],
    plan: Plan,
    *,
    done: Set[Cell] = frozenset[Cell](),
) -> Iterator[Result]:
    """Yield the result of each cell that is not in `done`, draw by draw; a function of the plan's seed.

    The caller may stop early: the results so far are balanced over tasks, shots and methods.  CPU seconds are those of
    `fit` only.  Raises MetaglotError for repeated names, an empty plan, and draws that the tasks do not have.
    """
    judge = Judge.of(task_sets, methods, plan)
    check_is("done", done, Set, "a set of cells")
    yield from map(judge, judge.cells(done))


def evaluate_into(
    out: str | Path,
    task_sets: Sequence[TaskSet],
    methods: Sequence[Method],
    plan: Plan,
    *,
    force: bool = False,
    workers: Workers | None = None,
    extra: Mapping[str, object] = MappingProxyType({}),
) -> Iterator[Result]:
    """Yield the results that `out` does not have yet, each after it was written to `out/results.jsonl`.

    With `workers` several processes make them, here or on a Ray cluster; they must make the same tasks and methods.
    `extra` are settings besides tasks, methods and plan on which results depend; they are recorded.
    A killed evaluation goes on where it stopped.  More methods, tasks, shots or draws may be added to a directory
    later; another seed, number of queries, version of a task or setting of a method is refused unless `force`
    replaces the results.  Raises MetaglotError there, like `evaluate`, and where another process evaluates into `out`.
    """
    judge = Judge.of(task_sets, methods, plan)
    out = check_path("out", out)
    check_switch("force", force)
    check_is("extra", extra, Mapping, "settings by their names")
    if workers is not None:
        check_is("workers", workers, Workers, "Workers(…)")
    with writing(out):
        saved = resume(Path(out), {**settings_of(task_sets, methods, plan), **extra}, force=force)
        cells = list(judge.cells({result.cell for result in saved}))
        for result in _results(judge, workers, cells):
            append(Path(out), result)
            yield result


def _results(judge: Judge, workers: Workers | None, cells: Sequence[Cell]) -> Iterator[Result]:
    if workers is None or not cells:
        return map(judge, cells)
    return (judge_in_processes if workers.on is None else judge_on_ray)(workers, judge.plan, cells)


def settings_of(task_sets: Sequence[TaskSet], methods: Sequence[Method], plan: Plan) -> dict[str, object]:
    """Return the settings that results depend on besides their cell, as flat JSON: `seed`, `task NAME`, …"""
    excluded = any(task_set.left_out is not None for task_set in task_sets)
    settings: dict[str, object] = {"seed": plan.seed, "queries": plan.queries}
    settings[OVERLAP] = "excluded" if excluded else "kept"
    settings |= {f"task {task_set.name}": task_set.fingerprint() for task_set in task_sets}
    settings |= {f"method {method.name}": {"model": method.model, **method.settings} for method in methods}
    return settings | {f"{NOT_JUDGED} {pair}": reason for pair, reason in refusals(task_sets, methods).items()}
