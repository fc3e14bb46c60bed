"""`metaglot evaluate`: a model against strong baselines on the same draws."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metaglot.cli.shared.judging import Manner, kept, ready, results_into, words_of
from metaglot.cli.shared.options import (
    Afresh,
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
    PrecisionOption,
    Queries,
    ReadsOption,
    ResultsAsJson,
    ResultsFolder,
    Shots,
    TaskOption,
    Threads,
)
from metaglot.cli.shared.plan import check_left_out, checked_shots
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.cli.shared.tables import results_and_leakage, unknown, with_metrics
from metaglot.cli.shared.tasks import read_tasks, with_floor
from metaglot.cli.shared.texts import check_device, check_task, precision_called
from metaglot.data.locks import writing
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.evaluation import Result
    from metaglot.evaluation.leakage import Leakage


def evaluate(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A run directory, builtin:minilm, a Hugging Face folder or hub id.")],
    tasks: Annotated[
        list[Path], typer.Argument(help="Labelled files; those with columns part, shot, draw keep theirs.")
    ],
    *,
    out: ResultsFolder,
    shots: Shots = "4,8,16",
    draws: Draws = 10,
    queries: Queries = 500,
    efforts: Annotated[
        str, typer.Option(help="Of ours: instant, fast, thorough, auto, as-trained; several, with commas.")
    ] = "fast",
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
    jobs: Jobs = 1,
    threads: Threads = None,
    exclude_overlap: Annotated[
        bool, typer.Option("--exclude-overlap", help="No query that stands among the run's training texts.")
    ] = False,
    force: Afresh = False,
    by_task: ByTask = False,
    quiet: NoTable = False,
    as_json: ResultsAsJson = False,
) -> None:
    """Adapt to each task from few examples, judge on its queries, and compare with baselines on the same draws.

    A task is of classes, of several labels a text, or of numbers: --task says which, or what its labels look like.
    For a run directory, leakage.json and table.md say which queries stand among its training texts.

    Examples:

      metaglot evaluate runs/english tasks/*.parquet --shots 4,8,16 --draws 5 --out results/english

      metaglot evaluate builtin:minilm tickets.csv --shots 5 --efforts instant,thorough --out results/tickets

      metaglot evaluate builtin:mini films.csv --columns domain=user --by-domain --task regression --out results/films
    """
    from metaglot.cli.shared.checks import check_baselines, check_efforts, check_reads, check_tasks
    from metaglot.data.folders import check_model, check_results_target

    wanted = checked_shots(shots, draws=draws, queries=queries, threads=threads, jobs=jobs)
    how = precision_called(precision), check_device(device), reads
    check_efforts(words_of(efforts), model)
    check_baselines(words_of(against), multitask=multitask)
    if not words_of(efforts) and not words_of(against):
        raise MetaglotError("--efforts and --against are both empty: name a method, e.g. --against frozen")
    check_task(task)
    check_results_target(out)
    context.with_resource(writing(out))
    labelled = read_tasks(tasks, columns, encoding, seed=seed, task=task, by_domain=by_domain)
    notes = check_tasks(labelled, wanted, draws)
    from metaglot.cli.shared.record import hashes_of, record_command

    check_reads(reads, labelled)
    hashes, left_out = hashes_of(tasks), check_left_out(leave_out, labelled)
    for one in (model, multitask) if multitask else (model,):
        check_model(one)
    manner = Manner(jobs, threads, exclude_overlap, force, quiet, left_out)
    for note in notes:
        manner.say(note)
    from metaglot.evaluation import Plan
    from metaglot.evaluation.job import Job

    named = tuple(words_of(efforts)), tuple(with_floor(words_of(against), labelled))
    job = Job(
        model, tuple(tasks), *named, multitask, columns, None, seed, encoding, *how, task=task, by_domain=by_domain
    )
    asked = ready(job, Plan(wanted, draws, queries, seed), labelled, manner)
    with kept():
        for _ in results_into(out, asked, manner._replace(quiet=quiet or as_json)):
            record_command(out, context, hashes, fresh=force)  # not before the folder is sure to take these results
    record_command(out, context, hashes, fresh=force)
    results, leakage = results_and_leakage(out, asked, manner)
    if as_json:
        for line in (out / "results.jsonl").read_text("utf-8").split("\n")[:-1]:
            tell_json(with_metrics(json.loads(line)))
    elif not quiet:
        _show(results, leakage, leave_out=manner.leave_out, by_task=by_task)
        tell(f"results, table.md and report.html in {out}")


def _show(results: "list[Result]", leakage: "Leakage", *, leave_out: Sequence[str], by_task: bool) -> None:
    """Print the tables, and what of the tasks the model has seen."""
    from rich.console import Console

    from metaglot.report import terminal
    from metaglot.report.leakage_tables import leakage_grids
    from metaglot.report.table import terminal_grid

    Console().print(terminal(results, leave_out=leave_out, by_task=by_task))
    Console().print(*(terminal_grid(grid) for grid in leakage_grids(leakage)))
    if not leakage.known:
        tell(f"leakage {unknown(leakage)}")
