"""`metaglot evaluate`: a model against strong baselines on the same draws."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metaglot.errors import MetaglotError, printable

if TYPE_CHECKING:
    from metaglot.adaptation import Model
    from metaglot.evaluation import Result, TaskSet
    from metaglot.evaluation.leakage import Leakage, Overlap
    from metaglot.evaluation.protocol import Cell


SAMPLE = 500  # texts of a task, at most, that are looked at for their length


def evaluate(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A run directory, builtin:minilm, a Hugging Face folder or hub id.")],
    tasks: Annotated[
        list[Path], typer.Argument(help="Labelled files; those with columns part, shot, draw keep theirs.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder for results.jsonl, table.md and report.html; resumed if killed.")],
    shots: Annotated[str, typer.Option(help="Support examples a class, e.g. 4,8,16.")] = "4,8,16",
    draws: Annotated[int, typer.Option(help="Support sets for each task and shot count.")] = 10,
    queries: Annotated[int, typer.Option(help="Texts judged for each task: a seeded subset.")] = 500,
    efforts: Annotated[
        str, typer.Option(help="Of ours: instant, fast, thorough, auto, as-trained; several, with commas.")
    ] = "fast",
    against: Annotated[
        str,
        typer.Option(
            help="tfidf, frozen (-proto, -lr, -instant), knn, finetune, multitask, peft (lora, bitfit), setfit (extra)."
        ),
    ] = "tfidf,frozen,finetune",
    multitask: Annotated[
        str | None, typer.Option(help="A run of the algorithm joint, for the baseline multitask.")
    ] = None,
    leave_out: Annotated[str, typer.Option(help="Tasks that the macro mean is also shown without.")] = "",
    columns: Annotated[str | None, typer.Option(help="Names of the columns, e.g. text=body,label=topic.")] = None,
    seed: Annotated[int, typer.Option(help="Of queries, random draws and fits.")] = 0,
    threads: Annotated[int | None, typer.Option(help="CPU threads; all if absent.")] = None,
    exclude_overlap: Annotated[
        bool, typer.Option("--exclude-overlap", help="No query that stands among the run's training texts.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Start the folder afresh.")] = False,
    by_task: Annotated[bool, typer.Option("--by-task", help="Print each task's differences too.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no table.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON Lines.")] = False,
) -> None:
    """Adapt to each task from few examples, judge on its queries, and compare with baselines on the same draws.

    For a run directory, leakage.json and table.md say which queries stand among its training texts.

    Examples:

      metaglot evaluate runs/english tasks/*.parquet --shots 4,8,16 --draws 5 --out results/english

      metaglot evaluate builtin:minilm tickets.csv --shots 5 --efforts instant,thorough --out results/tickets
    """
    from metaglot.cli_checks import check_baselines, check_count, check_efforts, check_tasks, read_task
    from metaglot.data.folders import check_model, check_results_target

    wanted = _numbers("--shots", shots)
    check_count("--draws", draws, most=100_000)
    check_count("--queries", queries, most=1_000_000_000)
    check_count("--threads", threads, most=1024)
    check_efforts(_words(efforts), model)
    check_baselines(_words(against), multitask=multitask)
    if not _words(efforts) and not _words(against):
        raise MetaglotError("--efforts and --against are both empty: name a method, e.g. --against frozen")
    check_results_target(out)
    labelled = [read_task(path, columns) for path in tasks]
    notes = check_tasks(labelled, wanted, draws)
    from metaglot.cli_record import hashes_of, record_command

    hashes = hashes_of(tasks)
    unknown = set(_words(leave_out)) - {name for name, _, _ in labelled}
    if unknown:
        raise MetaglotError(f"--leave-out {', '.join(sorted(unknown))}: no such task; they are named after their files")
    check_model(model)
    if multitask:
        check_model(multitask)
    for note in [] if quiet else notes:
        typer.echo(f"note: {printable(note)}", err=True)
    import torch

    from metaglot.adaptation import load_model
    from metaglot.evaluation import baselines, evaluate_into, ours, read_results
    from metaglot.evaluation.protocol import Plan, TaskSet, cells

    task_sets = [TaskSet(*task) for task in labelled]
    if threads:
        torch.set_num_threads(threads)
    loaded = load_model(model)
    joint = load_model(multitask) if multitask else None
    methods = (*ours(loaded, _words(efforts)), *baselines(_words(against), loaded.base(), multitask=joint))
    plan = Plan(wanted, draws, queries, seed)
    for note in [] if quiet else cut_notes(loaded, task_sets):
        typer.echo(f"note: {printable(note)}", err=True)
    task_sets, overlap = look_for_overlap(model, task_sets, exclude=exclude_overlap)
    planned = set(cells([task.name for task in task_sets], [method.name for method in methods], plan))
    done = 0 if force else _done(out, planned)
    show_bar = not (quiet or as_json)
    for _ in progress(
        evaluate_into(out, task_sets, methods, plan, force=force), len(planned), show=show_bar, done=done
    ):
        record_command(out, context, hashes, fresh=force)  # not before it is sure that the folder takes these results
    record_command(out, context, hashes, fresh=force)
    results = read_results(out / "results.jsonl")
    leakage = keep_leakage(out, overlap.leakage(loaded.name, task_sets, plan), results)
    write_tables(out, results, loaded, leave_out=_words(leave_out), run=Path(model), leakage=leakage)
    if as_json:
        typer.echo((out / "results.jsonl").read_text("utf-8"), nl=False)
    elif not quiet:
        _show(results, leakage, leave_out=_words(leave_out), by_task=by_task)
        typer.echo(f"results, table.md and report.html in {out}")


def _show(results: "list[Result]", leakage: "Leakage", *, leave_out: list[str], by_task: bool) -> None:
    """Print the tables, and what of the tasks the model has seen."""
    from rich.console import Console

    from metaglot.evaluation import terminal
    from metaglot.evaluation.leakage import leakage_grids
    from metaglot.evaluation.table import terminal_grid

    Console().print(terminal(results, leave_out=leave_out, by_task=by_task))
    Console().print(*(terminal_grid(grid) for grid in leakage_grids(leakage)))
    if not leakage.known:
        typer.echo(f"leakage unknown: {leakage.model} names no training text")


def look_for_overlap(model: str, task_sets: "list[TaskSet]", *, exclude: bool) -> "tuple[Sequence[TaskSet], Overlap]":
    """Return the tasks, without overlapping queries if asked, and what of them the run has seen."""
    from metaglot.data.seen import read_seen
    from metaglot.evaluation.leakage import overlap_of, without_overlap

    overlap = overlap_of(read_seen(model), task_sets)
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
    leave_out: list[str],
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
    with Progress(*columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True), disable=not show) as bar:
        task = bar.add_task("", total=total, completed=min(done, total), note="")
        for result in results:
            bar.update(task, advance=1, note=f"{result.task} {result.shot} shots: {result.method}")
            yield result


def _done(out: Path, planned: "set[Cell]") -> int:
    """Return how much of the plan is done already; the folder may hold more than the plan."""
    from metaglot.evaluation import read_results

    results = read_results(out / "results.jsonl") if (out / "results.jsonl").is_file() else []
    return len({result.cell for result in results} & planned)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(option: str, text: str) -> list[int]:
    try:
        numbers = [int(word) for word in _words(text)]
    except ValueError as error:
        raise MetaglotError(f"{option} {text}: expected whole numbers with commas, e.g. 4,8,16") from error
    if not numbers or min(numbers) < 1 or len(set(numbers)) < len(numbers):
        raise MetaglotError(f"{option} {text}: expected one or more different numbers of at least 1, e.g. 4,8,16")
    return numbers
