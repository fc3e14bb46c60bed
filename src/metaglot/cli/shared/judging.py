"""Code of `metaglot evaluate`, `bench` and `compare`: a model is judged on tasks, and a folder gets the results."""

import os
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from metaglot.cli.shared.printing import tell
from metaglot.cli.shared.texts import cut_notes
from metaglot.errors import MetaglotError, printable

if TYPE_CHECKING:
    import pyarrow as pa
    import typer

    from metaglot.adaptation import Model
    from metaglot.data.draws import Draws
    from metaglot.evaluation import Method, Plan, Result, TaskSet
    from metaglot.evaluation.job import Job
    from metaglot.evaluation.leakage import Overlap
    from metaglot.evaluation.protocol import Cell
    from metaglot.evaluation.workers import Workers


class LabelledTask(NamedTuple):
    """A task as read from its file, before torch is imported."""

    name: str
    table: "pa.Table"
    draws: "Draws"
    kind: str = "classification"  # a key of `choices.FAMILIES`

    def task_set(self) -> "TaskSet":
        """Return the task to evaluate on."""
        from metaglot.evaluation import TaskSet
        from metaglot.families.choose import family_called

        return TaskSet(self.name, self.table, self.draws, family=family_called(self.kind))


class JudgingOptions(NamedTuple):
    """Options of an evaluation that do not depend on models and tasks."""

    jobs: int = 1  # processes; 0 on Ray: as many as it has CPUs
    threads: int | None = None  # of all of them; all of the machine if None; on Ray of each
    exclude_overlap: bool = False
    force: bool = False
    quiet: bool = False
    leave_out: tuple[str, ...] = ()
    on: str | None = None  # a Ray cluster

    def say(self, *notes: str) -> None:
        """Print notes, a line each, unless quiet."""
        for note in () if self.quiet else notes:
            tell(f"note: {printable(note)}", err=True)


class Evaluation(NamedTuple):
    """A model, its methods and the tasks that they are judged on."""

    job: "Job"
    model: "Model"
    task_sets: "list[TaskSet]"
    methods: "tuple[Method, ...]"
    plan: "Plan"
    overlap: "Overlap"

    def settings(self) -> dict[str, object]:
        """Return the settings of results besides tasks, methods and plan."""
        settings: dict[str, object] = {"max_length": self.job.max_length, "reads": self.job.reads}
        precision = {f"precision {self.job.label}".strip(): self.model.encoder.precision}
        return {name: value for name, value in settings.items() if value is not None} | precision

    def planned_cells(self) -> "set[Cell]":
        """Return the cells of the plan, except those of a method and a kind of task that it does not learn."""
        from metaglot.evaluation.judge import judged_cells

        tasks, methods = {task.name: task for task in self.task_sets}, {one.name: one for one in self.methods}
        return set(judged_cells(tasks, methods, self.plan))


def planned_cells(task_sets: "Sequence[TaskSet]", methods: Sequence[str], plan: "Plan") -> "set[Cell]":
    """Return the cells of a plan, except those that the fixed draws of a task do not have."""
    from metaglot.evaluation.protocol import cells

    tasks = {task.name: task for task in task_sets}
    all_cells = cells(list(tasks), methods, plan)
    return {cell for cell in all_cells if tasks[cell.task].has(cell.shot, cell.draw)}


def prepare(
    job: "Job",
    plan: "Plan",
    labelled: "Sequence[LabelledTask]",
    options: JudgingOptions,
    *,
    model: "Model | None" = None,
) -> Evaluation:
    """Return the evaluation of a job, and print notes on its tasks; the model is loaded if `model` is None."""
    import torch

    from metaglot.evaluation.judge import refusals

    if options.threads:
        torch.set_num_threads(options.threads)
    loaded_model = model or job.load()
    task_sets = [task.task_set() for task in labelled]
    for note in [] if options.quiet else cut_notes(loaded_model, task_sets):
        options.say(note)
    task_sets, (overlap,) = find_overlap([job.model], task_sets, exclude=options.exclude_overlap)
    methods = job.methods(loaded_model)
    for reason in refusals(task_sets, methods).values():
        options.say(f"not judged: {reason}")
    return Evaluation(job, loaded_model, list(task_sets), methods, plan, overlap)


def results_with_bar(
    out: Path,
    evaluation: Evaluation,
    options: JudgingOptions,
    weights: "Mapping[Cell, float]" = MappingProxyType({}),
) -> "Iterable[Result]":
    """Yield the results that a folder does not have yet, while a bar shows the progress; `weights` as in `progress`."""
    say_damage(out, options)
    cells, missing = evaluation.planned_cells(), missing_cells(out, evaluation, options)
    results = missing_results(out, evaluation, options)
    return progress(results, len(cells), show=not options.quiet, done=len(cells) - len(missing), weights=weights)


def say_damage(out: Path, options: JudgingOptions) -> None:
    """Print a note on damaged lines in a folder of results."""
    from metaglot.evaluation.store import saved_results

    if not options.force and (note := saved_results(out)[1]):
        options.say(note)


def missing_results(
    out: Path, evaluation: Evaluation, options: JudgingOptions, extra: Mapping[str, object] = MappingProxyType({})
) -> "Iterable[Result]":
    """Yield the results that a folder does not have yet; `extra` is recorded with the settings."""
    from metaglot.evaluation import evaluate_into

    return evaluate_into(
        out,
        evaluation.task_sets,
        evaluation.methods,
        evaluation.plan,
        force=options.force,
        workers=_workers(evaluation, options) if len(missing_cells(out, evaluation, options)) > 1 else None,
        extra={**evaluation.settings(), **extra},
    )


def missing_cells(out: Path, evaluation: Evaluation, options: JudgingOptions) -> "set[Cell]":
    """Return the cells of the plan that a folder of results does not have yet; it may have others."""
    from metaglot.evaluation.store import saved_results

    return evaluation.planned_cells() - {result.cell for result in ([] if options.force else saved_results(out)[0])}


def _workers(evaluation: Evaluation, options: JudgingOptions) -> "Workers | None":
    """Return the worker processes; None where one process is enough."""
    from functools import partial

    from metaglot.evaluation.job import tasks_and_methods
    from metaglot.evaluation.workers import Workers

    if options.on is None and options.jobs < 2:
        return None
    left_out = tuple(task.left_out for task in evaluation.task_sets)
    make = partial(tasks_and_methods, evaluation.job, left_out)
    if options.on is not None:
        gpus = int(evaluation.job.device.startswith("cuda"))
        return Workers(options.jobs, make, options.threads or 1, options.on, gpus)
    return Workers(options.jobs, make, max(1, (options.threads or os.cpu_count() or 1) // options.jobs))


def hold_results(context: "typer.Context", out: Path, on: str | None) -> None:
    """Lock the folder of results, and connect to the Ray cluster of `--on`, if any, until the command ends.

    Raises MetaglotError where another process writes there, and where there is no cluster.
    """
    from metaglot.data.locks import writing

    context.with_resource(writing(out))
    if on is not None:
        from metaglot.cluster import connected

        context.with_resource(connected(on))


def find_overlap(
    models: Sequence[str], task_sets: "Sequence[TaskSet]", *, exclude: bool
) -> "tuple[Sequence[TaskSet], list[Overlap]]":
    """Return the tasks, with `exclude` without queries that a run has seen, and the overlap of each run with them."""
    from metaglot.data.folders import folder_of
    from metaglot.data.seen import read_seen
    from metaglot.evaluation.leakage import overlap_of, without_overlap

    overlaps = [overlap_of(read_seen(folder_of(model)), task_sets) for model in models]
    known_overlaps = [overlap for overlap in overlaps if overlap.seen is not None] if exclude else []
    if exclude and not known_overlaps:
        names, verb = (models[0], "keeps") if len(models) == 1 else (" and ".join(models), "keep")
        raise MetaglotError(
            f"--exclude-overlap: {names} {verb} no hashes of training texts; a run directory of `metaglot pretrain` "
            "keeps them (an older one gets them by --resume)"
        )
    for overlap in known_overlaps:
        task_sets = without_overlap(task_sets, overlap)
    return task_sets, overlaps


def progress(
    results: "Iterable[Result]",
    total: int,
    *,
    show: bool,
    done: int = 0,
    weights: "Mapping[Cell, float]" = MappingProxyType({}),
) -> "Iterable[Result]":
    """Yield the results while a bar shows the progress and the time left, if standard error is a terminal.

    A cell counts by its weight, the seconds that it is thought to take, where it has one.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    counted = TextColumn("{task.fields[count]}/{task.fields[cells]}")
    columns = (TextColumn("evaluating"), BarColumn(), counted, TimeRemainingColumn())
    light = 1.0 if not weights else sum(weights.values()) / (20 * len(weights))  # of a cell that no model writes for
    already = min(done, total)
    whole = already + light * (total - already - len(weights)) + sum(weights.values())
    console = Console(stderr=True)
    note_column, hidden = TextColumn("{task.fields[note]}", markup=False), not (show and console.is_terminal)
    with Progress(*columns, note_column, console=console, disable=hidden) as bar:
        task = bar.add_task("", total=whole, completed=already, note="", count=already, cells=total)
        for count, result in enumerate(results, start=already + 1):
            step = weights.get(result.cell, light)
            bar.update(
                task, advance=step, count=count, note=printable(f"{result.task} {result.shot} shots: {result.method}")
            )
            yield result


@contextmanager
def interrupt_note() -> Generator[None]:
    """Print at an interrupt that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        tell("interrupted; the results so far are saved, and the same command goes on from there", err=True)
        raise


def judge_and_record(results: "Iterable[Result]", record: Callable[[], None]) -> None:
    """Judge all cells; `record` writes the command into the folder.

    It is called after the first result, which shows that the folder takes the results, and after every other.
    """
    with interrupt_note():
        for _ in results:
            record()
    record()


def words_of(text: str) -> list[str]:
    """Return the words between commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def numbers_of(option: str, text: str) -> list[int]:
    """Return the whole numbers between commas; raise MetaglotError for other text, no number or a repeated number."""
    try:
        numbers = [int(word) for word in words_of(text)]
    except ValueError as error:
        raise MetaglotError(f"{option} {text}: expected whole numbers with commas, e.g. 4,8,16") from error
    if not numbers or min(numbers) < 1 or len(set(numbers)) < len(numbers):
        raise MetaglotError(f"{option} {text}: expected one or more different numbers of at least 1, e.g. 4,8,16")
    return numbers
