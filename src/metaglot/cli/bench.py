"""`metaglot bench`: a model against every baseline on folders of tasks, the cost told first."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metaglot.cli.shared.cost import cost_of, show_cost
from metaglot.cli.shared.judging import Labelled, Manner, Ready, kept, ready, results_into, words_of
from metaglot.cli.shared.limits import limits_of
from metaglot.cli.shared.options import (
    Afresh,
    ByDomain,
    DeviceOption,
    Draws,
    JudgingSeed,
    Multitask,
    NoTable,
    PrecisionOption,
    Queries,
    ReadsOption,
    Shots,
    TaskOption,
)
from metaglot.cli.shared.plan import checked_shots
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.cli.shared.tables import results_and_leakage
from metaglot.cli.shared.tasks import read_tasks, with_floor
from metaglot.cli.shared.texts import check_device, check_task, precision_called
from metaglot.data.locks import writing
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.evaluation import Plan, Result
    from metaglot.evaluation.job import Job
    from metaglot.evaluation.protocol import Limit
    from metaglot.report.grids import Grid

SETFIT_SHOTS, SETFIT_DRAWS = 8, 3
LOOSE = "tasks"  # the group of files that were named one by one
MOST_JOBS = 8  # unless asked for: each process holds the model
DEAR = 30  # classes beyond which SetFit's pairs take hours
AGAINST = "tfidf,frozen,finetune,lora"


def bench(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A run directory, builtin:mini, a Hugging Face folder or hub id.")],
    tasks: Annotated[list[Path], typer.Argument(help="Folders of labelled files, each a group of its own; or files.")],
    *,
    out: Annotated[Path, typer.Option(help="Folder for a folder of each group, table.md and pictures; resumed.")],
    shots: Shots = "4,8,16",
    draws: Draws = 5,
    queries: Queries = 300,
    max_length: Annotated[int, typer.Option(help="Tokens of a text that every method reads.")] = 96,
    efforts: Annotated[str, typer.Option(help="Of ours; the first is compared with the others.")] = (
        "auto,instant,fast,thorough"
    ),
    against: Annotated[
        str | None, typer.Option(help=f"Baselines. Default: {AGAINST}, setfit if it is installed.", show_default=False)
    ] = None,
    multitask: Multitask = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            help="Less for a dear method: METHOD:shots=8,draws=3,without=TASK+TASK. "
            f"Of setfit, unless given: 8 shots, 3 draws, without tasks of more than {DEAR} classes.",
            show_default=False,
        ),
    ] = None,
    leave_out: Annotated[str, typer.Option(help="Tasks that the macro means are also shown without.")] = "",
    precision: PrecisionOption = "auto",
    device: DeviceOption = "auto",
    task: TaskOption = None,
    by_domain: ByDomain = False,
    reads: ReadsOption = None,
    seed: JudgingSeed = 0,
    jobs: Annotated[
        int | None, typer.Option(help=f"Processes of one thread; as many as processors if absent, at most {MOST_JOBS}.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell the cost and stop.")] = False,
    force: Afresh = False,
    quiet: NoTable = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the tables as JSON.")] = False,
) -> None:
    """Compare a model at each effort with every baseline on the same draws: scores, calibration, time, memory.

    The cost is printed first; killed, the same command goes on where it stopped.

    Examples:

      metaglot bench builtin:mini my-tasks --out results/mine --dry-run

      metaglot bench runs/english tasks/leopard tasks/dev --out results/bench --jobs 2
    """
    from metaglot.cli.shared.checks import check_count, check_reads

    wanted = checked_shots(shots, draws=draws, queries=queries, threads=None, jobs=jobs)
    check_count("--max-length", max_length, most=100_000)
    how = precision_called(precision), check_device(device), reads
    default = f"{AGAINST},setfit" if find_spec("setfit") else AGAINST
    rivals = words_of(default if against is None else against)
    rivals += ["multitask"] if multitask and "multitask" not in rivals else []
    check_methods(model, words_of(efforts), rivals, multitask)
    check_task(task)
    check_target(out)
    if not dry_run:
        context.with_resource(writing(out))
    files = grouped(tasks)
    many = jobs or min(MOST_JOBS, os.cpu_count() or 1)
    manner = Manner(many, many, False, force, quiet or as_json)  # one thread for each process, be it one or several
    from metaglot.evaluation.protocol import Plan

    plan = Plan(wanted, draws, queries, seed)
    labelled = read_groups(files, plan, words_of(leave_out), manner, task=task, by_domain=by_domain)
    from metaglot.cli.shared.record import hashes_of, record_command
    from metaglot.evaluation.job import Job

    check_reads(reads, [task for group in labelled.values() for task in group])
    rivals = with_floor(rivals, [task for group in labelled.values() for task in group])
    job = Job(
        model,
        (),
        tuple(words_of(efforts)),
        tuple(rivals),
        multitask,
        None,
        max_length,
        seed,
        None,
        *how,
        task=task,
        by_domain=by_domain,
    )
    asked = all_ready(job, plan, files, labelled, limit, manner)
    if dry_run or not manner.quiet:
        show_cost(cost_of(out, asked, manner), manner, as_json=as_json and dry_run)
    if dry_run:
        return
    hashes = hashes_of([file for group in files.values() for file in group])
    results = {}
    with kept():
        for name, one in asked.items():
            for _ in results_into(out / name, one, manner):
                record_command(out, context, hashes, fresh=force)
            results[name], _ = results_and_leakage(out / name, one, manner)
    record_command(out, context, hashes, fresh=force)
    tables = write_benchmark(out, results, words_of(leave_out), ours=f"ours-{words_of(efforts)[0]}")
    show(tables, out, quiet=quiet, as_json=as_json)


def check_methods(model: str, efforts: Sequence[str], against: Sequence[str], multitask: str | None) -> None:
    """Raise MetaglotError for a model, an effort or a baseline that there is not."""
    from metaglot.cli.shared.checks import check_baselines, check_efforts
    from metaglot.data.folders import check_model

    check_efforts(efforts, model)
    check_baselines(against, multitask=multitask)
    if not efforts:
        raise MetaglotError("--efforts is empty: name at least one, e.g. --efforts auto")
    for one in (model, multitask):
        if one:
            check_model(one)


def check_target(out: Path) -> None:
    """Raise MetaglotError for a folder that holds something else than a benchmark."""
    from metaglot.data.folders import is_dir
    from metaglot.data.owned import RESULTS, check_kind
    from metaglot.data.rawfiles import is_there

    wrong = f"--out {out}: it exists and holds something else than a benchmark"
    groups = [file.parent for file in out.glob("*/settings.json")] if is_dir(out) else []
    if is_there(out) and not (groups or (is_dir(out) and not any(out.iterdir()))):
        raise MetaglotError(f"{wrong}; choose another folder")
    for group in groups:
        try:
            check_kind(group, RESULTS)
        except MetaglotError as error:
            raise MetaglotError(f"{wrong}. {error}; choose another folder") from error


def grouped(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Return the files of each folder, by the folder's name, and files that were named one by one as a group.

    Raises MetaglotError for a folder without labelled files, and for two of one name.
    """
    from metaglot.data.folders import is_dir
    from metaglot.data.readers import data_files, is_labelled

    found: dict[str, list[Path]] = {}
    folders = [path.resolve().name for path in paths if is_dir(path)]
    twice = sorted({name for name in folders if folders.count(name) > 1})
    if twice:
        raise MetaglotError(f"two folders are called {twice[0]!r}, and groups need distinct names; rename one")
    if LOOSE in folders and len(folders) < len(paths):
        raise MetaglotError(f"a folder is called {LOOSE!r}, as the group of files named one by one is; rename it")
    for path in paths:
        name = path.resolve().name if is_dir(path) else LOOSE
        files = [file for file in data_files(path, deep=False) if is_labelled(file)] if is_dir(path) else [path]
        if not files:
            raise MetaglotError(f"{path}: no labelled file there (parquet, csv, tsv, json, jsonl)")
        found.setdefault(name, []).extend(files)
    return found


def read_groups(
    files: Mapping[str, Sequence[Path]],
    plan: "Plan",
    leave_out: Sequence[str],
    manner: Manner,
    *,
    task: str | None = None,
    by_domain: bool = False,
) -> "dict[str, list[Labelled]]":
    """Return the tasks of each group; raise MetaglotError for what cannot be read or drawn."""
    from metaglot.cli.shared.checks import check_tasks

    labelled = {
        name: read_tasks(group, None, seed=plan.seed, task=task, by_domain=by_domain) for name, group in files.items()
    }
    every = [task for found in labelled.values() for task in found]
    for note in check_tasks(every, plan.shots, plan.draws):
        manner.say(note)
    if unknown := sorted(set(leave_out) - {name for name, *_ in every}):
        raise MetaglotError(f"--leave-out {unknown[0]}: no such task; they are named after their files")
    return labelled


def default_limit(labelled: "Mapping[str, Sequence[Labelled]]", shots: Sequence[int]) -> "Limit":
    """Return what SetFit is limited to, for its pairs grow with the square of the examples: 8 shots or the nearest."""
    from metaglot.evaluation.protocol import Limit

    dear = [name for found in labelled.values() for name, _, rule, _ in found if len(rule.labels) > DEAR]
    return Limit((min(shots, key=lambda k: abs(k - SETFIT_SHOTS)),), SETFIT_DRAWS, frozenset(dear))


def all_ready(
    job: "Job",
    plan: "Plan",
    files: Mapping[str, Sequence[Path]],
    labelled: "Mapping[str, Sequence[Labelled]]",
    limits: Sequence[str] | None,
    manner: Manner,
) -> dict[str, Ready]:
    """Return what is to be judged of each group, the model loaded once."""
    model = job.load()
    methods = [method.name for method in job.methods(model)]
    tasks = [name for found in labelled.values() for name, *_ in found]
    usual = {"setfit": default_limit(labelled, plan.shots)}
    plan = plan._replace(limits=limits_of(limits or (), methods, tasks, usual=usual, of_shots=plan.shots))
    return {
        name: ready(replace(job, tasks=tuple(files[name])), plan, found, manner, model=model)
        for name, found in labelled.items()
    }


def write_benchmark(
    out: Path, results: "Mapping[str, Sequence[Result]]", leave_out: Sequence[str], *, ours: str
) -> "list[Grid]":
    """Write table.md and a picture of each group; return the tables."""
    from metaglot.data.cache import write_whole
    from metaglot.report.benchmark import benchmark
    from metaglot.report.charts import shots_chart
    from metaglot.report.summary import by_metric, tasks_of, without
    from metaglot.report.table import markdown_grid

    groups = dict(results)
    for name, found in results.items():
        fewer = [task for task in tasks_of(found) if task in leave_out]
        if fewer and len(fewer) < len(tasks_of(found)):
            groups[f"{name} without {', '.join(fewer)}"] = without(found, fewer)
    tables = benchmark(groups, ours)
    write_whole(out / "table.md", "\n".join(map(markdown_grid, tables)))
    for name, found in results.items():
        parts = by_metric(found)
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
        rows = {
            grid.title: [dict(zip(grid.columns, (c.text for c in row), strict=True)) for row in grid.rows]
            for grid in tables
        }
        tell_json(rows)
    elif not quiet:
        for grid in tables:
            Console().print(terminal_grid(grid))
        tell(f"table.md, pictures and a report.html for each group in {out}")
