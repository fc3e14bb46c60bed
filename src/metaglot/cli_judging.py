"""What `metaglot evaluate` and `metaglot bench` share: their options checked, a folder of results filled and told."""

import json
import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from metaglot.cli_output import tell
from metaglot.errors import MetaglotError, printable

if TYPE_CHECKING:
    import pyarrow as pa

    from metaglot.adaptation import Model
    from metaglot.data.draws import Draws
    from metaglot.evaluation import Method, Plan, Result, TaskSet
    from metaglot.evaluation.job import Job
    from metaglot.evaluation.leakage import Leakage, Overlap
    from metaglot.evaluation.protocol import Cell
    from metaglot.evaluation.workers import Workers

Labelled = tuple[str, "pa.Table", "Draws"]  # name, table, rule of a task
SAMPLE = 500  # texts of a task, at most, that are looked at for their length


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
        return {} if self.job.max_length is None else {"max_length": self.job.max_length}

    def planned(self) -> "set[Cell]":
        """Return the cells of the plan."""
        from metaglot.evaluation.protocol import cells

        tasks = {task.name: task for task in self.task_sets}
        every = cells(list(tasks), [method.name for method in self.methods], self.plan)
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

    from metaglot.evaluation import TaskSet

    if manner.threads:
        torch.set_num_threads(manner.threads)
    loaded = model or job.load()
    task_sets = [TaskSet(*task) for task in labelled]
    for note in [] if manner.quiet else cut_notes(loaded, task_sets):
        manner.say(note)
    task_sets, overlap = look_for_overlap(job.model, task_sets, exclude=manner.exclude_overlap)
    return Ready(job, loaded, list(task_sets), job.methods(loaded), plan, overlap)


def results_into(out: Path, asked: Ready, manner: Manner) -> "Iterable[Result]":
    """Yield the results that a folder lacks, while a bar shows how far they are."""
    from metaglot.evaluation import evaluate_into
    from metaglot.evaluation.store import kept_results

    if not manner.force and (note := kept_results(out)[1]):
        manner.say(note)
    planned, left = asked.planned(), lacking(out, asked, manner)
    workers = _workers(asked, manner) if len(left) > 1 else None
    found = evaluate_into(
        out,
        asked.task_sets,
        asked.methods,
        asked.plan,
        force=manner.force,
        workers=workers,
        also=asked.settings(),
    )
    return progress(found, len(planned), show=not manner.quiet, done=len(planned) - len(left))


def lacking(out: Path, asked: Ready, manner: Manner) -> "set[Cell]":
    """Return the cells of the plan that a folder of results does not hold; it may hold others."""
    from metaglot.evaluation.store import kept_results

    return asked.planned() - {result.cell for result in ([] if manner.force else kept_results(out)[0])}


def told(out: Path, asked: Ready, manner: Manner) -> "tuple[list[Result], Leakage]":
    """Write table.md, report.html and leakage.json of a folder of results, and return what they say."""
    from metaglot.evaluation import read_results

    results = read_results(out / "results.jsonl")
    leakage = keep_leakage(out, asked.overlap.leakage(asked.model.name, asked.task_sets, asked.plan), results)
    write_tables(out, results, asked.model, leave_out=manner.leave_out, run=Path(asked.job.model), leakage=leakage)
    return results, leakage


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


def look_for_overlap(model: str, task_sets: "list[TaskSet]", *, exclude: bool) -> "tuple[Sequence[TaskSet], Overlap]":
    """Return the tasks, without overlapping queries if asked, and what of them the run has seen."""
    from metaglot.data.folders import folder_of
    from metaglot.data.seen import read_seen
    from metaglot.evaluation.leakage import overlap_of, without_overlap

    overlap = overlap_of(read_seen(folder_of(model)), task_sets)
    if overlap.seen is None and exclude:
        raise MetaglotError(
            f"--exclude-overlap: {model} keeps no hashes of training texts; a run directory of `metaglot pretrain` "
            "does (an older one gets them by --resume)"
        )
    return (without_overlap(task_sets, overlap) if exclude else task_sets), overlap


def cut_notes(model: "Model", task_sets: "Sequence[TaskSet]") -> list[str]:
    """Return a line for each task with texts longer than the model reads, by a sample of them."""
    notes = []
    for task in task_sets:
        texts, pairs = task.sample(SAMPLE)
        if cut := model.cut(texts, pairs):
            about = "about " if len(texts) < len(task.table) else ""
            share = f"{about}{100 * cut / len(texts):.0f} % of the texts"
            notes.append(
                f"{task.name}: {share} are longer than {model.max_length} tokens; what comes after is not read"
            )
    return notes


def keep_leakage(out: Path, leakage: "Leakage", results: "list[Result]") -> "Leakage":
    """Write leakage.json, and return it with what an earlier call said of other tasks in the folder."""
    from metaglot.evaluation.leakage import grown, read_leakage, write_leakage

    whole = grown(leakage, read_leakage(out), {result.task for result in results})
    write_leakage(out, whole)
    return whole


def write_tables(
    out: Path,
    results: "list[Result]",
    model: "Model",
    *,
    leave_out: Sequence[str],
    run: Path,
    leakage: "Leakage",
) -> None:
    """Write table.md, environment.json and report.html, the page of `metaglot report` on the folder and the run."""
    from metaglot.data.cache import write_whole
    from metaglot.evaluation import gather, markdown, write_report
    from metaglot.evaluation.leakage import leakage_grids
    from metaglot.evaluation.material import is_run
    from metaglot.evaluation.table import markdown_grid

    parts = [markdown(results, leave_out=leave_out), *(markdown_grid(grid) for grid in leakage_grids(leakage))]
    if not leakage.known:
        parts.append(f"**Leakage** unknown: {leakage.model} names no training text.\n")
    write_whole(out / "table.md", "\n".join(parts))
    write_whole(out / "environment.json", json.dumps(environment(), indent=1) + "\n")
    folders = [out, run] if is_run(run) else [out]
    write_report(out / "report.html", gather(folders, title=f"{model.name}: evaluation", leave_out=leave_out))


def environment() -> dict[str, object]:
    """Return the versions in use."""
    import platform

    import torch
    import transformers

    from metaglot.version import __version__

    return {
        "metaglot": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),
    }


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
