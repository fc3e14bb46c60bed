"""`metaglot bench`: a model against every baseline on folders of tasks; the estimated cost comes first."""

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metaglot.cli.shared.cost import cost_of, show_cost
from metaglot.cli.shared.groups import MANY_CLASSES, group_files, prepare_groups, read_groups
from metaglot.cli.shared.judging import (
    Evaluation,
    JudgingOptions,
    hold_results,
    judge_and_record,
    results_with_bar,
    words_of,
)
from metaglot.cli.shared.options import (
    ByDomain,
    DeviceOption,
    Draws,
    JudgingSeed,
    LeaveOut,
    Multitask,
    NoTable,
    On,
    PrecisionOption,
    Queries,
    ReadsOption,
    RestartFolder,
    Shots,
    TaskOption,
)
from metaglot.cli.shared.plan import parse_shots
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.cli.shared.tables import results_and_leakage
from metaglot.cli.shared.tasks import with_constant_baseline
from metaglot.cli.shared.texts import check_device, check_task, parse_precision
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.evaluation import Result
    from metaglot.report.grids import Grid

MOST_JOBS = 8  # processes unless --jobs is given: each holds the model
DEFAULT_BASELINES = "tfidf,frozen,finetune,lora"


def bench(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A run directory, builtin:mini, a Hugging Face folder or hub id.")],
    tasks: Annotated[list[Path], typer.Argument(help="Folders of labelled files, each a group of its own; or files.")],
    *,
    out: Annotated[Path, typer.Option(help="Folder for table.md, pictures and a folder of each group; resumed.")],
    shots: Shots = "4,8,16",
    draws: Draws = 5,
    queries: Queries = 300,
    max_length: Annotated[int, typer.Option(help="Tokens of a text that every method reads.")] = 96,
    efforts: Annotated[str, typer.Option(help="Efforts of the model; the first is compared with the baselines.")] = (
        "auto,instant,fast,thorough"
    ),
    against: Annotated[
        str | None,
        typer.Option(help=f"Baselines. Default: {DEFAULT_BASELINES}, setfit if it is installed.", show_default=False),
    ] = None,
    multitask: Multitask = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            help="A smaller plan for an expensive method: METHOD:shots=8,draws=3,without=TASK+TASK. "
            f"Default for setfit: 8 shots, 3 draws, without tasks of more than {MANY_CLASSES} classes.",
            show_default=False,
        ),
    ] = None,
    leave_out: LeaveOut = "",
    precision: PrecisionOption = "auto",
    device: DeviceOption = "auto",
    task: TaskOption = None,
    by_domain: ByDomain = False,
    reads: ReadsOption = None,
    seed: JudgingSeed = 0,
    jobs: Annotated[
        int | None,
        typer.Option(help=f"Processes of one thread. Default: one a processor, at most {MOST_JOBS}; on Ray one a CPU."),
    ] = None,
    on: On = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the cost and stop.")] = False,
    force: RestartFolder = False,
    quiet: NoTable = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the tables as JSON.")] = False,
) -> None:
    """Compare a model at each effort with every baseline on the same draws: scores, calibration, time, memory.

    The estimated cost is printed first; after an interrupt, the same command goes on where it stopped.

    Examples:

      metaglot bench builtin:mini my-tasks --out results/mine --dry-run

      metaglot bench runs/english tasks/leopard tasks/dev --out results/bench --jobs 2
    """
    from metaglot.cli.shared.checks import check_count, check_reads

    shot_counts = parse_shots(shots, draws=draws, queries=queries, threads=None, jobs=jobs)
    check_count("--max-length", max_length, most=100_000)
    runtime = parse_precision(precision), check_device(device), reads
    baselines = _baselines(against, multitask)
    check_methods(model, words_of(efforts), baselines, multitask)
    check_task(task)
    check_target(out)
    if not dry_run:
        hold_results(context, out, on)
    files = group_files(tasks)
    processes = jobs or (min(MOST_JOBS, os.cpu_count() or 1) if on is None else 0)
    threads = processes if on is None else 1  # one thread a process
    options = JudgingOptions(processes, threads=threads, force=force, quiet=quiet or as_json, on=on)
    from metaglot.evaluation.protocol import Plan

    plan = Plan(shot_counts, draws, queries, seed)
    labelled = read_groups(files, plan, words_of(leave_out), options, task=task, by_domain=by_domain)
    all_tasks = [task for group in labelled.values() for task in group]
    check_reads(reads, all_tasks)
    from metaglot.evaluation.job import Job

    methods = tuple(words_of(efforts)), tuple(with_constant_baseline(baselines, all_tasks)), multitask
    job = Job(model, (), *methods, None, max_length, seed, None, *runtime, task=task, by_domain=by_domain)
    evaluations = prepare_groups(job, plan, files, labelled, limit, options)
    if dry_run or not options.quiet:
        show_cost(cost_of(out, evaluations, options), options, as_json=as_json and dry_run)
    if dry_run:
        return
    results = _results(context, out, files, evaluations, options)
    tables = write_benchmark(out, results, words_of(leave_out), ours=f"ours-{words_of(efforts)[0]}")
    show(tables, out, quiet=quiet, as_json=as_json)


def _baselines(against: str | None, multitask: str | None) -> list[str]:
    """Return the baselines that are given, or else the default ones; multitask is among them if its model is given."""
    default = f"{DEFAULT_BASELINES},setfit" if find_spec("setfit") else DEFAULT_BASELINES
    baselines = words_of(default if against is None else against)
    return baselines + (["multitask"] if multitask and "multitask" not in baselines else [])


def _results(
    context: typer.Context,
    out: Path,
    files: "Mapping[str, Sequence[Path]]",
    evaluations: "Mapping[str, Evaluation]",
    options: JudgingOptions,
) -> "dict[str, list[Result]]":
    """Judge each group in a folder of its own; return the results by group."""
    from metaglot.cli.shared.record import hashes_of, record_command

    hashes = hashes_of([file for group in files.values() for file in group])
    results: dict[str, list[Result]] = {}
    for name, evaluation in evaluations.items():
        judge_and_record(
            results_with_bar(out / name, evaluation, options),
            lambda: record_command(out, context, hashes, fresh=options.force),
        )
        results[name], _ = results_and_leakage(out / name, evaluation, options)
    return results


def check_methods(model: str, efforts: Sequence[str], against: Sequence[str], multitask: str | None) -> None:
    """Raise MetaglotError for an unknown model, effort or baseline."""
    from metaglot.cli.shared.checks import check_baselines, check_efforts
    from metaglot.data.folders import check_model

    check_efforts(efforts, model)
    check_baselines(against, multitask=multitask)
    if not efforts:
        raise MetaglotError("--efforts is empty: name at least one, e.g. --efforts auto")
    for name in (model, multitask):
        if name:
            check_model(name)


def check_target(out: Path) -> None:
    """Raise MetaglotError for a folder with files that are not of a benchmark."""
    from metaglot.data.folders import is_dir
    from metaglot.data.owned import RESULTS, check_kind
    from metaglot.data.rawfiles import is_there

    message = f"--out {out}: it exists and is not a benchmark"
    groups = [file.parent for file in out.glob("*/settings.json")] if is_dir(out) else []
    if is_there(out) and not (groups or (is_dir(out) and not any(out.iterdir()))):
        raise MetaglotError(f"{message}; choose another folder")
    for group in groups:
        try:
            check_kind(group, RESULTS)
        except MetaglotError as error:
            raise MetaglotError(f"{message}. {error}; choose another folder") from error


def write_benchmark(
    out: Path, results: "Mapping[str, Sequence[Result]]", leave_out: Sequence[str], *, ours: str
) -> "list[Grid]":
    """Write table.md and a picture of each group; return the tables."""
    from metaglot.data.cache import write_whole
    from metaglot.report.benchmark import benchmark
    from metaglot.report.charts import shots_chart
    from metaglot.report.summary import by_metric, tasks_of, without_tasks
    from metaglot.report.table import markdown_grid

    groups = dict(results)
    for name, rows in results.items():
        left_out = [task for task in tasks_of(rows) if task in leave_out]
        if left_out and len(left_out) < len(tasks_of(rows)):
            groups[f"{name} without {', '.join(left_out)}"] = without_tasks(rows, left_out)
    tables = benchmark(groups, ours)
    write_whole(out / "table.md", "\n".join(map(markdown_grid, tables)))
    for name, rows in results.items():
        parts = by_metric(rows)
        titles = {metric: metric.words.replace(" ", "-") if metric.span else metric.name for metric in parts}
        for metric, part in parts.items():
            if picture := shots_chart(part):
                write_whole(out / (f"{name}.svg" if len(parts) == 1 else f"{name}-{titles[metric]}.svg"), picture)
    return tables


def show(tables: "Sequence[Grid]", out: Path, *, quiet: bool, as_json: bool) -> None:
    """Print the tables, or as JSON."""
    from rich.console import Console

    from metaglot.report.table import terminal_grid

    if as_json:
        tables_by_title = {
            grid.title: [dict(zip(grid.columns, (cell.text for cell in row), strict=True)) for row in grid.rows]
            for grid in tables
        }
        tell_json(tables_by_title)
    elif not quiet:
        for grid in tables:
            Console().print(terminal_grid(grid))
        tell(f"table.md, pictures and a report.html for each group in {out}")
