"""Judges one cell after another: fits a method to the support set, and scores it on the queries."""

import time
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metaglot.data.arguments import check_all
from metaglot.data.examples import Examples
from metaglot.data.number_span import span_of_file
from metaglot.errors import MetaglotError
from metaglot.evaluation.baselines.method import Method
from metaglot.evaluation.peak import forget_peak, peak_mb
from metaglot.evaluation.protocol import Cell, Plan, TaskSet, cells, check_plan, query_rows, unique
from metaglot.evaluation.result import Result
from metaglot.metric import Measures, with_span
from metaglot.seeds import fold


@dataclass(frozen=True)
class Judge:
    """The tasks and methods of a plan, by name; the queries of a task are the same for every cell."""

    tasks: Mapping[str, TaskSet]
    methods: Mapping[str, Method]
    plan: Plan
    queries: Mapping[str, Examples[Any]]

    @classmethod
    def of(cls, task_sets: Sequence[TaskSet], methods: Sequence[Method], plan: Plan) -> "Judge":
        """Return the judge of these tasks and methods.

        Raises MetaglotError, before hours of work, for arguments of another type, repeated names and impossible draws.
        """
        task_sets = check_all("task_sets", task_sets, TaskSet, "tasks, as TaskSet.load returns them")
        methods = check_all("methods", methods, Method, "methods, as ours(…) and baselines(…) return them")
        plan = check_plan(plan)
        tasks, by_name = unique(task_sets), {method.name: method for method in methods}
        if not by_name or len(by_name) < len(methods):
            names = ", ".join(method.name for method in methods) or "none"
            raise MetaglotError(f"Methods need distinct names, and at least one is needed; got: {names}.")
        _check(plan, task_sets)
        queries = {name: task_set.examples(query_rows(task_set, plan)) for name, task_set in tasks.items()}
        if not any(_can_learn(method, task) for method in methods for task in task_sets):
            raise MetaglotError(f"There is nothing to judge: {'; '.join(refusals(task_sets, methods).values())}.")
        return cls(tasks, by_name, plan, queries)

    def cells(self, done: Container[Cell] = frozenset[Cell]()) -> Iterator[Cell]:
        """Yield the cells of the plan that are not in `done`."""
        return (cell for cell in judged_cells(self.tasks, self.methods, self.plan) if cell not in done)

    def __call__(self, cell: Cell) -> Result:
        """Return the result of a cell; apart from its costs, it is a function of the plan's seed."""
        task_set, method, seed = self.tasks[cell.task], self.methods[cell.method], self.plan.seed
        queries, support = self.queries[cell.task], task_set.support(cell.shot, cell.draw)
        fit_seed = fold(seed, "fit", cell.task, cell.shot, cell.draw)
        forget_peak()
        start = time.process_time()
        fitted = method.fit(support, task_set.family, shot=cell.shot, seed=fit_seed)
        seconds, peak = time.process_time() - start, peak_mb()
        try:
            score = task_set.family.score(fitted.predict(queries.inputs), queries.targets)
        except MetaglotError as error:
            raise MetaglotError(
                f"{cell.method} on {cell.task}, {cell.shot} shots, draw {cell.draw}: {error}"
            ) from error
        return Result(
            *cell,
            metrics=score.metrics,
            cpu_seconds=round(seconds, 4),
            queries=len(queries),
            support=len(support),
            seed=seed,
            model=method.model,
            bins=score.bins,
            peak_mb=peak,
            measures=_in_scale(score.measures, task_set),
            kind=task_set.family.name,
        )


def judged_cells(tasks: Mapping[str, TaskSet], methods: Mapping[str, Method], plan: Plan) -> Iterator[Cell]:
    """Yield the cells of a plan, except draws that a file does not have, and kinds that a method cannot learn."""
    for cell in cells(list(tasks), list(methods), plan):
        if tasks[cell.task].has(cell.shot, cell.draw) and _can_learn(methods[cell.method], tasks[cell.task]):
            yield cell


def refusals(task_sets: Sequence[TaskSet], methods: Sequence[Method]) -> dict[str, str]:
    """Return the reasons why methods cannot learn kinds of tasks, by "METHOD on KIND"."""
    kinds = {task.family.name: task.family for task in task_sets}
    reasons = {(method.name, kind): method.why_not(family) for method in methods for kind, family in kinds.items()}
    return {f"{name} on {kind}": f"{name}: {reason}" for (name, kind), reason in reasons.items() if reason}


def _in_scale(measures: Measures, task_set: TaskSet) -> Measures:
    """Return the metrics, with the span of the numbers of the task's file where scores are in their unit."""
    if not any(metric.of_targets for metric in measures):
        return measures
    numbers = [target for target in task_set.targets if target is not None]
    return with_span(measures, span_of_file(task_set.table) or (float(min(numbers)), float(max(numbers))))


def _can_learn(method: Method, task: TaskSet) -> bool:
    return method.why_not(task.family) is None


def _check(plan: Plan, task_sets: Sequence[TaskSet]) -> None:
    for task_set in task_sets:
        for shot in plan.shots:
            present = [draw for draw in range(plan.draws) if task_set.has(shot, draw)]
            fixed = len(task_set.draws.draws)
            task_set.support(shot, present[-1] if present and not 0 < fixed < plan.draws else plan.draws - 1)
