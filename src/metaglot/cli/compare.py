"""`metaglot compare`: several models on the same draws, side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metaglot.cli.shared.comparing import compared, results_of
from metaglot.cli.shared.judging import Manner, kept, words_of
from metaglot.cli.shared.options import (
    Afresh,
    ByDomain,
    ByTask,
    Columns,
    DeviceOption,
    Draws,
    Encoding,
    Jobs,
    JudgingSeed,
    LeaveOut,
    NoTable,
    NumbersAsJson,
    PrecisionOption,
    Queries,
    ReadsOption,
    ResultsFolder,
    Shots,
    TaskOption,
    Threads,
)
from metaglot.cli.shared.plan import check_left_out, checked_shots
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.cli.shared.tables import unknown, write_tables
from metaglot.cli.shared.tasks import read_tasks
from metaglot.cli.shared.texts import check_device, check_task, precision_called
from metaglot.cli.shared.words import short_names, words_apart
from metaglot.data.locks import writing
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.evaluation import Result
    from metaglot.evaluation.leakage import Leakage


def compare(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL MODEL… TASK…",
            help="Runs, adaptations (for what they were made from), built-in models, Hugging Face folders, hub ids; "
            "the first is compared with each other. Then labelled files: what is a file is a task.",
        ),
    ],
    *,
    tasks: Annotated[
        list[Path] | None,
        typer.Option("--tasks", help="A labelled file, or a folder of them; may be given again.", show_default=False),
    ] = None,
    out: ResultsFolder,
    shots: Shots = "4,8,16",
    draws: Draws = 10,
    queries: Queries = 500,
    efforts: Annotated[
        str, typer.Option(help="Of each model: instant, fast, thorough, auto, as-trained; several, with commas.")
    ] = "fast",
    leave_out: LeaveOut = "",
    columns: Columns = None,
    encoding: Encoding = None,
    precision: PrecisionOption = "auto",
    device: DeviceOption = "auto",
    task: TaskOption = None,
    by_domain: ByDomain = False,
    reads: ReadsOption = None,
    seed: JudgingSeed = 0,
    jobs: Jobs = 1,
    threads: Threads = None,
    exclude_overlap: Annotated[
        bool,
        typer.Option("--exclude-overlap", help="No query that stands among the training texts of any of the runs."),
    ] = False,
    force: Afresh = False,
    by_task: ByTask = False,
    quiet: NoTable = False,
    as_json: NumbersAsJson = False,
) -> None:
    """Judge several models on the same draws: scores by task, differences with intervals, CPU seconds.

    Differences are the first model minus another, on the same support sets and queries; losses are shown as wins are.

    Examples:

      metaglot compare runs/english builtin:minilm tickets.csv reviews.csv --shots 4,8 --out results/both

      metaglot compare runs/a runs/b runs/c --tasks tasks/dev --efforts instant,fast --out results/abc
    """
    from metaglot.cli.shared.checks import check_efforts, check_reads, check_tasks
    from metaglot.data.folders import check_results_target

    wanted = checked_shots(shots, draws=draws, queries=queries, threads=threads, jobs=jobs)
    models, files, notes = words_apart(words, tasks or [])
    if not words_of(efforts):
        raise MetaglotError("--efforts is empty: name at least one, e.g. --efforts fast")
    names = short_names(models)
    for model in models:
        check_efforts(words_of(efforts), model)
    runs = precision_called(precision), check_device(device), reads
    check_task(task)
    check_results_target(out)
    context.with_resource(writing(out))
    labelled = read_tasks(files, columns, encoding, seed=seed, task=task, by_domain=by_domain)
    check_reads(reads, labelled)
    notes += check_tasks(labelled, wanted, draws)
    from metaglot.cli.shared.record import hashes_of, record_command
    from metaglot.evaluation import Plan
    from metaglot.evaluation.job import Job

    hashes, left_out = hashes_of(files), check_left_out(leave_out, labelled)
    manner = Manner(jobs, threads, exclude_overlap, force, quiet, left_out)
    for note in notes:
        manner.say(note)
    how = tuple(files), tuple(words_of(efforts)), (), None, columns, None, seed, encoding
    several = [
        Job(model, *how, *runs, task=task, by_domain=by_domain, label=name)
        for model, name in zip(models, names, strict=True)
    ]
    asked = compared(several, Plan(wanted, draws, queries, seed), labelled, manner)
    with kept():
        for _ in results_of(out, asked, manner._replace(quiet=quiet or as_json)):
            record_command(out, context, hashes, fresh=force)  # not before the folder is sure to take these results
    record_command(out, context, hashes, fresh=force)
    title, seen = f"{', '.join(names)}: compared", asked.leakages()
    results, leakages = write_tables(out, seen, models, title=title, leave_out=left_out, reference=asked.reference)
    if as_json:
        _tell_numbers(out, left_out)
    elif not quiet:
        _show(results, leakages, asked.reference, leave_out=left_out, by_task=by_task)
        tell(f"results, table.md and report.html in {out}")


def _tell_numbers(out: Path, leave_out: Sequence[str]) -> None:
    from metaglot.report import gather
    from metaglot.report.numbers import numbers

    tell_json(numbers(gather([out], leave_out=leave_out)), indent=1)


def _show(
    results: "Sequence[Result]",
    leakages: "Sequence[Leakage]",
    reference: str,
    *,
    leave_out: Sequence[str],
    by_task: bool,
) -> None:
    """Print the tables, one sentence on what came out, and what of the tasks each model has seen."""
    from rich.console import Console

    from metaglot.report import terminal
    from metaglot.report.comparison import comparisons
    from metaglot.report.headline import headline
    from metaglot.report.leakage_tables import leakage_grids
    from metaglot.report.table import terminal_grid

    Console().print(terminal(results, leave_out=leave_out, by_task=by_task, reference=reference))
    Console().print(*(terminal_grid(grid) for leakage in leakages for grid in leakage_grids(leakage)))
    for leakage in leakages:
        if not leakage.known:
            tell(f"leakage {unknown(leakage)}")
    tell(headline(results, comparisons(results, reference)))
