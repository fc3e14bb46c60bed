"""What `metaglot evaluate`, `bench` and `compare` share: their options checked, a folder of results filled."""

import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from metaglot.cli.shared.printing import tell
from metaglot.errors import MetaglotError, printable

if TYPE_CHECKING:
    import pyarrow as pa

    from metaglot.adaptation import Model
    from metaglot.data.draws import Draws
    from metaglot.evaluation import Method, Plan, Result, TaskSet
    from metaglot.evaluation.job import Job
    from metaglot.evaluation.leakage import Overlap
    from metaglot.evaluation.protocol import Cell
    from metaglot.evaluation.workers import Workers

SAMPLE = 500  # texts of a task, at most, that are looked at for their length


class Labelled(NamedTuple):
    """A task that was read, before torch is imported."""

    name: str
    table: "pa.Table"
    draws: "Draws"
    kind: str = "classification"  # a key of `choices.FAMILIES`

    def task_set(self) -> "TaskSet":
        """Return the task to evaluate on."""
        from metaglot.evaluation import TaskSet
        from metaglot.families.choose import family_called

        return TaskSet(self.name, self.table, self.draws, family=family_called(self.kind))


class Manner(NamedTuple):
    """How an evaluation is done and told, whatever is judged."""

    jobs: int = 1  # processes
    threads: int | None = None  # of all of them; all of the machine if None
    exclude_overlap: bool = False
    force: bool = False
    quiet: bool = False
    leave_out: tuple[str, ...] = ()

    def say(self, note: str) -> None:
        """Tell the user, unless quiet."""
        if not self.quiet:
            tell(f"note: {printable(note)}", err=True)


class Ready(NamedTuple):
    """What is about to be judged."""

    job: "Job"
    model: "Model"
    task_sets: "list[TaskSet]"
    methods: "tuple[Method, ...]"
    plan: "Plan"
    overlap: "Overlap"

    def settings(self) -> dict[str, object]:
        """Return what results depend on besides tasks, methods and plan."""
        asked: dict[str, object] = {"max_length": self.job.max_length, "reads": self.job.reads}
        precision = {f"precision {self.job.label}".strip(): self.model.encoder.precision}
        return {name: value for name, value in asked.items() if value is not None} | precision

    def planned(self) -> "set[Cell]":
        """Return the cells of the plan, without those of kinds of tasks that a method does not learn."""
        from metaglot.evaluation.judge import judged_cells

        tasks, methods = {task.name: task for task in self.task_sets}, {one.name: one for one in self.methods}
        return set(judged_cells(tasks, methods, self.plan))


def planned(task_sets: "Sequence[TaskSet]", methods: Sequence[str], plan: "Plan") -> "set[Cell]":
    """Return the cells of a plan, those left out that fixed draws lack."""
    from metaglot.evaluation.protocol import cells

    tasks = {task.name: task for task in task_sets}
    every = cells(list(tasks), methods, plan)
    return {cell for cell in every if tasks[cell.task].has(cell.shot, cell.draw)}


def ready(
    job: "Job",
    plan: "Plan",
    labelled: "Sequence[Labelled]",
    manner: Manner,
    *,
    model: "Model | None" = None,
) -> Ready:
    """Return it, the model loaded unless it is given, and say what is odd about the tasks."""
    import torch

    from metaglot.evaluation.judge import refusals

    if manner.threads:
        torch.set_num_threads(manner.threads)
    loaded = model or job.load()
    task_sets = [task.task_set() for task in labelled]
    for note in [] if manner.quiet else cut_notes(loaded, task_sets):
        manner.say(note)
    task_sets, (overlap,) = look_for_overlap([job.model], task_sets, exclude=manner.exclude_overlap)
    methods = job.methods(loaded)
    for reason in refusals(task_sets, methods).values():
        manner.say(f"not judged: {reason}")
    return Ready(job, loaded, list(task_sets), methods, plan, overlap)


def results_into(out: Path, asked: Ready, manner: Manner) -> "Iterable[Result]":
    """Yield the results that a folder lacks, while a bar shows how far they are."""
    say_damage(out, manner)
    planned, left = asked.planned(), lacking(out, asked, manner)
    found = lacking_results(out, asked, manner)
    return progress(found, len(planned), show=not manner.quiet, done=len(planned) - len(left))


def say_damage(out: Path, manner: Manner) -> None:
    """Say which lines of a folder of results are none."""
    from metaglot.evaluation.store import kept_results

    if not manner.force and (note := kept_results(out)[1]):
        manner.say(note)


def lacking_results(
    out: Path, asked: Ready, manner: Manner, also: Mapping[str, object] = MappingProxyType({})
) -> "Iterable[Result]":
    """Yield the results that a folder lacks; `also` is for the record, beside the settings."""
    from metaglot.evaluation import evaluate_into

    return evaluate_into(
        out,
        asked.task_sets,
        asked.methods,
        asked.plan,
        force=manner.force,
        workers=_workers(asked, manner) if len(lacking(out, asked, manner)) > 1 else None,
        also={**asked.settings(), **also},
    )


def lacking(out: Path, asked: Ready, manner: Manner) -> "set[Cell]":
    """Return the cells of the plan that a folder of results does not hold; it may hold others."""
    from metaglot.evaluation.store import kept_results

    return asked.planned() - {result.cell for result in ([] if manner.force else kept_results(out)[0])}


def _workers(asked: Ready, manner: Manner) -> "Workers | None":
    """Return the processes; none where one is enough."""
    from functools import partial

    from metaglot.evaluation.job import make
    from metaglot.evaluation.workers import Workers

    if manner.jobs < 2:
        return None
    threads = manner.threads or os.cpu_count() or 1
    left_out = tuple(task.left_out for task in asked.task_sets)
    return Workers(manner.jobs, partial(make, asked.job, left_out), max(1, threads // manner.jobs))


def look_for_overlap(
    models: Sequence[str], task_sets: "Sequence[TaskSet]", *, exclude: bool
) -> "tuple[Sequence[TaskSet], list[Overlap]]":
    """Return the tasks, if asked without queries that any of the runs has seen, and what of them each has seen."""
    from metaglot.data.folders import folder_of
    from metaglot.data.seen import read_seen
    from metaglot.evaluation.leakage import overlap_of, without_overlap

    overlaps = [overlap_of(read_seen(folder_of(model)), task_sets) for model in models]
    known = [overlap for overlap in overlaps if overlap.seen is not None] if exclude else []
    if exclude and not known:
        which, keep = (models[0], "keeps") if len(models) == 1 else (" and ".join(models), "keep")
        raise MetaglotError(
            f"--exclude-overlap: {which} {keep} no hashes of training texts; a run directory of `metaglot pretrain` "
            "does (an older one gets them by --resume)"
        )
    for overlap in known:
        task_sets = without_overlap(task_sets, overlap)
    return task_sets, overlaps


def cut_notes(model: "Model", task_sets: "Sequence[TaskSet]") -> list[str]:
    """Return a line for each task with texts longer than the model reads, by a sample of them."""
    notes = []
    for task in task_sets:
        inputs = task.sample(SAMPLE)
        if task.family.tokens is None and (cut := model.encoder.cut(inputs)):
            about = "about " if len(inputs) < len(task.table) else ""
            share = f"{about}{100 * cut / len(inputs):.0f} % of the texts"
            notes.append(
                f"{task.name}: {share} are longer than {model.max_length} tokens; what comes after is not read"
            )
    return notes


def progress(results: "Iterable[Result]", total: int, *, show: bool, done: int = 0) -> "Iterable[Result]":
    """Yield the results while a bar shows how far they are and the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("evaluating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, TextColumn("{task.fields[note]}", markup=False), console=Console(stderr=True), disable=not show
    ) as bar:
        task = bar.add_task("", total=total, completed=min(done, total), note="")
        for result in results:
            bar.update(task, advance=1, note=printable(f"{result.task} {result.shot} shots: {result.method}"))
            yield result


@contextmanager
def kept() -> Generator[None]:
    """Say at an interrupt that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        tell("interrupted; what is done is kept, and the same command goes on from there", err=True)
        raise


def words_of(text: str) -> list[str]:
    """Return the words between commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def numbers_of(option: str, text: str) -> list[int]:
    """Return the whole numbers between commas; raise MetaglotError for anything else, for none and for one twice."""
    try:
        numbers = [int(word) for word in words_of(text)]
    except ValueError as error:
        raise MetaglotError(f"{option} {text}: expected whole numbers with commas, e.g. 4,8,16") from error
    if not numbers or min(numbers) < 1 or len(set(numbers)) < len(numbers):
        raise MetaglotError(f"{option} {text}: expected one or more different numbers of at least 1, e.g. 4,8,16")
    return numbers
