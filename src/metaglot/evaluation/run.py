"""The evaluation itself: every method on the same supports and queries, one result a cell."""

from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from types import MappingProxyType

from metaglot.data.arguments import check_is, check_path, check_switch
from metaglot.data.locks import writing
from metaglot.evaluation.baselines.method import Method
from metaglot.evaluation.judge import Judge, refusals
from metaglot.evaluation.protocol import Cell, Plan, TaskSet
from metaglot.evaluation.result import Result
from metaglot.evaluation.store import NOT_JUDGED, OVERLAP, append, resume
from metaglot.evaluation.workers import Workers, spread


def evaluate(
    task_sets: Sequence[TaskSet],
    methods: Sequence[Method],
    plan: Plan,
    *,
    done: Set[Cell] = frozenset[Cell](),
) -> Iterator[Result]:
    """Yield the result of each cell that is not in `done`, draw by draw; a function of the plan's seed.

    The caller may stop early: what came so far is balanced over tasks, shots and methods.  CPU seconds are those of
    `fit` alone.  Raises MetaglotError for names used twice, for a plan that asks for nothing, and for what the
    tasks cannot give.
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
    also: Mapping[str, object] = MappingProxyType({}),
) -> Iterator[Result]:
    """Yield the results that `out` lacks, each after it was written to `out/results.jsonl`.

    With `workers` several processes make them; they must make the same tasks and methods.
    `also` is what results depend on besides tasks, methods and plan, for the record.
    A killed evaluation goes on where it stopped.  More methods, tasks, shots or draws may be added to a directory
    later; another seed, number of queries, version of a task or setting of a method is refused unless `force`
    starts the directory afresh.  Raises MetaglotError there, and where `evaluate` does, and where another process
    evaluates into `out`.
    """
    judge = Judge.of(task_sets, methods, plan)
    out = check_path("out", out)
    check_switch("force", force)
    check_is("also", also, Mapping, "settings by their names")
    if workers is not None:
        check_is("workers", workers, Workers, "Workers(…)")
    with writing(out):
        kept = resume(Path(out), {**settings_of(task_sets, methods, plan), **also}, force=force)
        left = list(judge.cells({result.cell for result in kept}))
        found = map(judge, left) if workers is None else spread(workers, plan, left)
        for result in found:
            append(Path(out), result)
            yield result


def settings_of(task_sets: Sequence[TaskSet], methods: Sequence[Method], plan: Plan) -> dict[str, object]:
    """Return what results depend on besides their cell, as flat JSON: `seed`, `task NAME`, `method NAME`, …"""
    excluded = any(task_set.left_out is not None for task_set in task_sets)
    settings: dict[str, object] = {"seed": plan.seed, "queries": plan.queries}
    settings[OVERLAP] = "excluded" if excluded else "kept"
    settings |= {f"task {task_set.name}": task_set.fingerprint() for task_set in task_sets}
    settings |= {f"method {m.name}": {"model": m.model, **m.settings} for m in methods}
    return settings | {f"{NOT_JUDGED} {which}": reason for which, reason in refusals(task_sets, methods).items()}
