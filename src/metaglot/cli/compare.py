"""`metaglot compare`: several models on the same draws, side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metaglot.cli.shared.comparing import prepare_comparison, results_of
from metaglot.cli.shared.judging import JudgingOptions, hold_results, judge_and_record, words_of
from metaglot.cli.shared.options import (
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
    On,
    PrecisionOption,
    Queries,
    ReadsOption,
    RestartFolder,
    ResultsFolder,
    Shots,
    TaskOption,
    Threads,
)
from metaglot.cli.shared.plan import parse_left_out, parse_shots
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.cli.shared.tables import unknown_leakage, write_tables
from metaglot.cli.shared.tasks import efforts_for, read_tasks
from metaglot.cli.shared.texts import check_device, check_task, parse_precision
from metaglot.cli.shared.words import short_names, split_words
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
            help="Runs, adaptations (the models that they were made from), built-in models, Hugging Face folders, hub "
            "ids; the first is compared with the others. Then labelled files: each file is a task.",
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
        str | None,
        typer.Option(
            help="Efforts of each model: instant, fast, thorough, auto, as-trained, with commas. By default as "
            "`metaglot adapt`: fast, and instant for numbers, answers and choices.",
            show_default=False,
        ),
    ] = None,
    leave_out: LeaveOut = "",
    columns: Columns = None,
    encoding: Encoding = None,
    precision: PrecisionOption = "auto",
    device: DeviceOption = "auto",
    task: TaskOption = None,
    by_domain: ByDomain = False,
    reads: ReadsOption = None,
    seed: JudgingSeed = 0,
    jobs: Jobs = None,
    on: On = None,
    threads: Threads = None,
    exclude_overlap: Annotated[
        bool,
        typer.Option("--exclude-overlap", help="Leave out queries that are training texts of any of the runs."),
    ] = False,
    force: RestartFolder = False,
    by_task: ByTask = False,
    quiet: NoTable = False,
    as_json: NumbersAsJson = False,
) -> None:
    """Judge several models on the same draws: scores by task, differences with intervals, CPU seconds.

    A difference is the first model minus another, on the same support sets and queries; losses are shown like wins.

    Examples:

      metaglot compare runs/english builtin:minilm tickets.csv reviews.csv --shots 4,8 --out results/both

      metaglot compare runs/a runs/b runs/c --tasks tasks/dev --efforts instant,fast --out results/abc
    """
    from metaglot.cli.shared.checks import check_reads, check_tasks
    from metaglot.data.folders import check_results_target

    shot_counts = parse_shots(shots, draws=draws, queries=queries, threads=threads, jobs=jobs)
    models, files, notes = split_words(words, tasks or [])
    names = short_names(models)
    _check_efforts(efforts, models)
    runtime = parse_precision(precision), check_device(device), reads
    check_task(task)
    check_results_target(out)
    hold_results(context, out, on)
    labelled = read_tasks(files, columns, encoding, seed=seed, task=task, by_domain=by_domain)
    check_reads(reads, labelled)
    notes += check_tasks(labelled, shot_counts, draws)
    from metaglot.cli.shared.record import hashes_of, record_command
    from metaglot.evaluation import Plan
    from metaglot.evaluation.job import Job

    hashes, left_out = hashes_of(files), parse_left_out(leave_out, labelled)
    options = JudgingOptions(jobs or int(on is None), threads, exclude_overlap, force, quiet, left_out, on)
    options.say(*notes)
    common = tuple(files), efforts_for(efforts, labelled), (), None, columns, None, seed, encoding
    model_jobs = [
        Job(model, *common, *runtime, task=task, by_domain=by_domain, label=name)
        for model, name in zip(models, names, strict=True)
    ]
    comparison = prepare_comparison(model_jobs, Plan(shot_counts, draws, queries, seed), labelled, options)
    judge_and_record(
        results_of(out, comparison, options._replace(quiet=quiet or as_json)),
        lambda: record_command(out, context, hashes, fresh=force),
    )
    title, reference = f"{', '.join(names)}: compared", comparison.reference
    results, leakages = write_tables(
        out, comparison.leakages(), models, title=title, leave_out=left_out, reference=reference
    )
    if as_json:
        _print_numbers(out, left_out)
    elif not quiet:
        _print_tables(results, leakages, reference, leave_out=left_out, by_task=by_task)
        tell(f"results, table.md and report.html in {out}")


def _check_efforts(efforts: str | None, models: Sequence[str]) -> None:
    """Raise MetaglotError for an unknown effort, and where none is named."""
    from metaglot.cli.shared.checks import check_efforts

    names = [] if efforts is None else words_of(efforts)
    if not names and efforts is not None:
        raise MetaglotError("--efforts is empty: name at least one, e.g. --efforts fast")
    for model in models:
        check_efforts(names, model)


def _print_numbers(out: Path, leave_out: Sequence[str]) -> None:
    from metaglot.report import gather
    from metaglot.report.numbers import numbers

    tell_json(numbers(gather([out], leave_out=leave_out)), indent=1)


def _print_tables(
    results: "Sequence[Result]",
    leakages: "Sequence[Leakage]",
    reference: str,
    *,
    leave_out: Sequence[str],
    by_task: bool,
) -> None:
    """Print the tables, the overlap of training texts with the tasks, and one sentence on the outcome."""
    from rich.console import Console

    from metaglot.report import terminal
    from metaglot.report.comparison import compare_methods
    from metaglot.report.headline import headline
    from metaglot.report.leakage_tables import leakage_grids
    from metaglot.report.table import terminal_grid

    Console().print(terminal(results, leave_out=leave_out, by_task=by_task, reference=reference))
    Console().print(*(terminal_grid(grid) for leakage in leakages for grid in leakage_grids(leakage)))
    for leakage in leakages:
        if not leakage.known:
            tell(f"leakage {unknown_leakage(leakage)}")
    tell(headline(results, compare_methods(results, reference)))
