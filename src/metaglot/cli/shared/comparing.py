"""The models of `metaglot compare`, judged one after another on the same tasks; one is in memory at a time."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from metaglot.cli.shared.judging import (
    Evaluation,
    JudgingOptions,
    LabelledTask,
    find_overlap,
    missing_results,
    planned_cells,
    progress,
    say_damage,
)
from metaglot.cli.shared.texts import cut_notes

if TYPE_CHECKING:
    from metaglot.evaluation import Plan, Result, TaskSet
    from metaglot.evaluation.job import Job
    from metaglot.evaluation.leakage import Leakage, Overlap
    from metaglot.evaluation.protocol import Cell


class ModelComparison(NamedTuple):
    """Models, and the tasks and the plan that they are compared on."""

    jobs: "Sequence[Job]"  # one for each model; the first is compared with the others
    task_sets: "Sequence[TaskSet]"
    plan: "Plan"
    overlaps: "Sequence[Overlap]"  # of each model's training texts with the tasks

    @property
    def reference(self) -> str:
        """The method that is compared with all others."""
        return next(iter(self.jobs[0].labels.values()))

    def planned_cells(self) -> "set[Cell]":
        """Return the cells of all models."""
        methods = [name for job in self.jobs for name in job.labels.values()]
        return planned_cells(self.task_sets, methods, self.plan)

    def leakages(self) -> "list[Leakage]":
        """Return the texts of the tasks that each model has seen in meta-training."""
        return [
            overlap.leakage(job.label, self.task_sets, self.plan)
            for job, overlap in zip(self.jobs, self.overlaps, strict=True)
        ]


def prepare_comparison(
    jobs: "Sequence[Job]", plan: "Plan", labelled: Sequence[LabelledTask], options: JudgingOptions
) -> ModelComparison:
    """Return the comparison; with `options.exclude_overlap`, without queries that any of the runs has seen."""
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    models, all_tasks = [job.model for job in jobs], [task.task_set() for task in labelled]
    task_sets, overlaps = find_overlap(models, all_tasks, exclude=options.exclude_overlap)
    return ModelComparison(jobs, task_sets, plan, overlaps)


def results_of(out: Path, comparison: ModelComparison, options: JudgingOptions) -> "Iterable[Result]":
    """Yield the results that a folder does not have yet, model by model, while one bar shows the progress of all."""
    from metaglot.evaluation.store import saved_results

    say_damage(out, options)
    cells = comparison.planned_cells()
    done = cells & {result.cell for result in ([] if options.force else saved_results(out)[0])}
    return progress(_results_of_models(out, comparison, options), len(cells), show=not options.quiet, done=len(done))


def _results_of_models(out: Path, comparison: ModelComparison, options: JudgingOptions) -> "Iterator[Result]":
    for number in range(len(comparison.jobs)):
        yield from _results_of_model(out, comparison, number, options._replace(force=options.force and number == 0))


def _results_of_model(
    out: Path, comparison: ModelComparison, number: int, options: JudgingOptions
) -> "Iterator[Result]":
    from metaglot.evaluation.store import REFERENCE

    job = comparison.jobs[number]
    model = job.load()
    for note in [] if options.quiet else cut_notes(model, comparison.task_sets):
        options.say(f"{job.label}: {note}")
    evaluation = Evaluation(
        job, model, list(comparison.task_sets), job.methods(model), comparison.plan, comparison.overlaps[number]
    )
    yield from missing_results(out, evaluation, options, {REFERENCE: comparison.reference})
