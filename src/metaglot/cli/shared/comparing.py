"""The models of `metaglot compare`, judged one after another on the same tasks; one is in memory at a time."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from metaglot.cli.shared.judging import (
    Labelled,
    Manner,
    Ready,
    cut_notes,
    lacking_results,
    look_for_overlap,
    planned,
    progress,
    say_damage,
)

if TYPE_CHECKING:
    from metaglot.evaluation import Plan, Result, TaskSet
    from metaglot.evaluation.job import Job
    from metaglot.evaluation.leakage import Leakage, Overlap
    from metaglot.evaluation.protocol import Cell


class Compared(NamedTuple):
    """What is about to be compared."""

    jobs: "Sequence[Job]"  # one for each model; the first is compared with the others
    task_sets: "Sequence[TaskSet]"
    plan: "Plan"
    overlaps: "Sequence[Overlap]"  # of each model's training texts with the tasks

    @property
    def reference(self) -> str:
        """The method that is compared with all others."""
        return next(iter(self.jobs[0].labels.values()))

    def planned(self) -> "set[Cell]":
        """Return the cells of all models."""
        methods = [name for job in self.jobs for name in job.labels.values()]
        return planned(self.task_sets, methods, self.plan)

    def leakages(self) -> "list[Leakage]":
        """Return what each model has seen of the tasks in meta-training."""
        return [
            overlap.leakage(job.label, self.task_sets, self.plan)
            for job, overlap in zip(self.jobs, self.overlaps, strict=True)
        ]


def compared(jobs: "Sequence[Job]", plan: "Plan", labelled: Sequence[Labelled], manner: Manner) -> Compared:
    """Return what is to be judged, without queries that any of the runs has seen if the manner asks for it."""
    import torch

    if manner.threads:
        torch.set_num_threads(manner.threads)
    models, every = [job.model for job in jobs], [task.task_set() for task in labelled]
    task_sets, overlaps = look_for_overlap(models, every, exclude=manner.exclude_overlap)
    return Compared(jobs, task_sets, plan, overlaps)


def results_of(out: Path, asked: Compared, manner: Manner) -> "Iterable[Result]":
    """Yield the results that a folder lacks, model by model, while one bar shows how far all of them are."""
    from metaglot.evaluation.store import kept_results

    say_damage(out, manner)
    every = asked.planned()
    done = every & {result.cell for result in ([] if manner.force else kept_results(out)[0])}
    return progress(_each(out, asked, manner), len(every), show=not manner.quiet, done=len(done))


def _each(out: Path, asked: Compared, manner: Manner) -> "Iterator[Result]":
    for number in range(len(asked.jobs)):
        yield from _one(out, asked, number, manner._replace(force=manner.force and number == 0))


def _one(out: Path, asked: Compared, number: int, manner: Manner) -> "Iterator[Result]":
    from metaglot.evaluation.store import REFERENCE

    job = asked.jobs[number]
    model = job.load()
    for note in [] if manner.quiet else cut_notes(model, asked.task_sets):
        manner.say(f"{job.label}: {note}")
    ready = Ready(job, model, list(asked.task_sets), job.methods(model), asked.plan, asked.overlaps[number])
    yield from lacking_results(out, ready, manner, {REFERENCE: asked.reference})
