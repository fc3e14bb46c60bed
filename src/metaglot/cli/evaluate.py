"""`metaglot evaluate`: a model against strong baselines on the same draws."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metaglot.cli.shared.judging import (
    JudgingOptions,
    hold_results,
    judge_and_record,
    prepare,
    results_with_bar,
    words_of,
)
from metaglot.cli.shared.options import (
    ByDomain,
    ByTask,
    DeviceOption,
    Draws,
    Encoding,
    Jobs,
    JudgingSeed,
    LeaveOut,
    Multitask,
    NoTable,
    On,
    PrecisionOption,
    Queries,
    ReadsOption,
    RestartFolder,
    ResultsAsJson,
    ResultsFolder,
    Shots,
    TaskOption,
    Threads,
)
from metaglot.cli.shared.plan import parse_left_out, parse_shots
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.cli.shared.tables import results_and_leakage, unknown_leakage, with_metrics
from metaglot.cli.shared.tasks import efforts_for, read_tasks, with_constant_baseline
from metaglot.cli.shared.texts import check_device, check_task, parse_precision
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.evaluation import Result
    from metaglot.evaluation.leakage import Leakage


def evaluate(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A run directory, builtin:minilm, a Hugging Face folder or hub id.")],
    tasks: Annotated[
        list[Path], typer.Argument(help="Labelled files; columns part, shot, draw fix the draws of a file.")
    ],
    *,
    out: ResultsFolder,
    shots: Shots = "4,8,16",
    draws: Draws = 10,
    queries: Queries = 500,
    efforts: Annotated[
        str | None,
        typer.Option(
            help="Efforts of the model: instant, fast, thorough, auto, as-trained, words, prefix, with commas. By "
            "default as `metaglot adapt`: fast, and instant for numbers, answers and choices.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        str,
        typer.Option(
            help="tfidf, frozen (-proto, -lr, -instant), knn, finetune, multitask, peft (lora, bitfit), setfit (extra)."
        ),
    ] = "tfidf,frozen,finetune",
    multitask: Multitask = None,
    leave_out: LeaveOut = "",
    columns: Annotated[str | None, typer.Option(help="Names of the columns, e.g. text=body,label=topic.")] = None,
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
        bool, typer.Option("--exclude-overlap", help="Leave out queries that are training texts of the run.")
    ] = False,
    force: RestartFolder = False,
    by_task: ByTask = False,
    quiet: NoTable = False,
    as_json: ResultsAsJson = False,
) -> None:
    """Adapt to each task from few examples, judge on its queries, and compare with baselines on the same draws.

    A task is of classes, of several labels a text, of numbers, of spans with labels, of answers in passages, or of
    candidates to choose from: --task says which; without it, the labels decide, and --task choice is needed.
    For a run directory, leakage.json and table.md say how many queries are training texts of the run.

    Examples:

      metaglot evaluate runs/english tasks/*.parquet --shots 4,8,16 --draws 5 --out results/english

      metaglot evaluate builtin:minilm tickets.csv --shots 5 --efforts instant,thorough --out results/tickets

      metaglot evaluate builtin:mini films.csv --columns domain=user --by-domain --task regression --out results/films
    """
    from metaglot.cli.shared.checks import check_reads, check_tasks
    from metaglot.cli.shared.cost import written_seconds
    from metaglot.data.folders import check_model, check_results_target

    shot_counts = parse_shots(shots, draws=draws, queries=queries, threads=threads, jobs=jobs)
    runtime = parse_precision(precision), check_device(device), reads
    _check_methods(model, efforts, words_of(against), multitask)
    check_task(task)
    check_results_target(out)
    hold_results(context, out, on)
    labelled = read_tasks(tasks, columns, encoding, seed=seed, task=task, by_domain=by_domain)
    notes = check_tasks(labelled, shot_counts, draws)
    check_reads(reads, labelled)
    options = JudgingOptions(
        jobs or int(on is None), threads, exclude_overlap, force, quiet, parse_left_out(leave_out, labelled), on
    )
    for name in (model, multitask) if multitask else (model,):
        check_model(name)
    options.say(*notes)
    from metaglot.cli.shared.record import hashes_of, record_command
    from metaglot.evaluation import Plan
    from metaglot.evaluation.job import Job

    hashes = hashes_of(tasks)
    methods = efforts_for(efforts, labelled), tuple(with_constant_baseline(words_of(against), labelled)), multitask
    reading = columns, None, seed, encoding
    job = Job(model, tuple(tasks), *methods, *reading, *runtime, task=task, by_domain=by_domain)
    evaluation = prepare(job, Plan(shot_counts, draws, queries, seed), labelled, options)
    shown = options._replace(quiet=quiet or as_json)
    judge_and_record(
        results_with_bar(out, evaluation, shown, written_seconds(out, evaluation, shown)),
        lambda: record_command(out, context, hashes, fresh=force),
    )
    results, leakage = results_and_leakage(out, evaluation, options)
    if as_json:
        _print_json(out)
    elif not quiet:
        _print_tables(results, leakage, leave_out=options.leave_out, by_task=by_task)
        tell(f"results, table.md and report.html in {out}")


def _check_methods(model: str, efforts: str | None, against: Sequence[str], multitask: str | None) -> None:
    """Raise MetaglotError for an unknown effort or baseline, and where no method is named."""
    from metaglot.cli.shared.checks import check_baselines, check_efforts

    names = [] if efforts is None else words_of(efforts)
    check_efforts(names, model)
    check_baselines(against, multitask=multitask)
    if not names and efforts is not None and not against:
        raise MetaglotError("--efforts and --against are both empty: name a method, e.g. --against frozen")


def _print_json(out: Path) -> None:
    """Print the results in a folder as JSON Lines."""
    for line in (out / "results.jsonl").read_text("utf-8").split("\n")[:-1]:
        tell_json(with_metrics(json.loads(line)))


def _print_tables(results: "list[Result]", leakage: "Leakage", *, leave_out: Sequence[str], by_task: bool) -> None:
    """Print the tables, and the overlap of training texts with the tasks."""
    from rich.console import Console

    from metaglot.report import terminal
    from metaglot.report.leakage_tables import leakage_grids
    from metaglot.report.table import terminal_grid

    Console().print(terminal(results, leave_out=leave_out, by_task=by_task))
    Console().print(*(terminal_grid(grid) for grid in leakage_grids(leakage)))
    if not leakage.known:
        tell(f"leakage {unknown_leakage(leakage)}")
