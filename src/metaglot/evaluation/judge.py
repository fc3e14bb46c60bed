"""One cell after the other: fit a method to the support, judge it on the queries."""

import time
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

from metaglot.data.arguments import check_all
from metaglot.data.examples import Examples
from metaglot.errors import MetaglotError
from metaglot.evaluation.baselines.method import Method
from metaglot.evaluation.peak import forget_peak, peak_mb
from metaglot.evaluation.protocol import Cell, Plan, TaskSet, cells, check_plan, query_rows, unique
from metaglot.evaluation.result import Result
from metaglot.families.classification import judge
from metaglot.seeds import fold


@dataclass(frozen=True)
class Judge:
    """The tasks and methods of a plan, by name; the queries of a task are the same for every cell."""

    tasks: Mapping[str, TaskSet]
    methods: Mapping[str, Method]
    plan: Plan
    queries: Mapping[str, Examples[str]]

    @classmethod
    def of(cls, task_sets: Sequence[TaskSet], methods: Sequence[Method], plan: Plan) -> "Judge":
        """Return it; raise MetaglotError, before hours of work, for what is no task, method or plan, for names used
        twice, and for what cannot be drawn.
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
        return cls(tasks, by_name, plan, queries)

    def cells(self, done: Container[Cell] = frozenset[Cell]()) -> Iterator[Cell]:
        """Yield the plan's cells that are not done; a draw that a file of fixed draws lacks is none."""
        every = cells(list(self.tasks), list(self.methods), self.plan)
        return (cell for cell in every if cell not in done and self.tasks[cell.task].has(cell.shot, cell.draw))

    def __call__(self, cell: Cell) -> Result:
        """Return the result of a cell; a function of the plan's seed, its costs apart."""
        task_set, method, seed = self.tasks[cell.task], self.methods[cell.method], self.plan.seed
        queries, support = self.queries[cell.task], task_set.support(cell.shot, cell.draw)
        fit_seed = fold(seed, "fit", cell.task, cell.shot, cell.draw)
        forget_peak()
        before = time.process_time()
        fitted = method.fit(support, shot=cell.shot, seed=fit_seed)
        seconds, peak = time.process_time() - before, peak_mb()
        try:
            scored = judge(fitted.labels, fitted.predict_proba(queries.inputs), queries.targets)
        except MetaglotError as error:
            raise MetaglotError(
                f"{cell.method} on {cell.task}, {cell.shot} shots, draw {cell.draw}: {error}"
            ) from error
        return Result(
            *cell,
            metrics=scored.metrics,
            cpu_seconds=round(seconds, 4),
            queries=len(queries),
            support=len(support),
            seed=seed,
            model=method.model,
            bins=scored.bins,
            peak_mb=peak,
            measures=scored.measures,
        )


def _check(plan: Plan, task_sets: Sequence[TaskSet]) -> None:
    for task_set in task_sets:
        for shot in plan.shots:
            there = [draw for draw in range(plan.draws) if task_set.has(shot, draw)]
            fixed = len(task_set.draws.draws)
            task_set.support(shot, there[-1] if there and not 0 < fixed < plan.draws else plan.draws - 1)
