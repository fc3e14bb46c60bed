"""`metaglot pretrain`: meta-train from a recipe, in a run directory."""

import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metaglot.cli.shared.printing import tell, tell_json
from metaglot.data.locks import writing
from metaglot.errors import MetaglotError, printable
from metaglot.metric import Metric

if TYPE_CHECKING:
    from metaglot.assembly.plan import Assembled
    from metaglot.config import Recipe
    from metaglot.training import Event
    from metaglot.types import Record

LOSSES = ("loss", "domain_loss", "plain_loss")
SOLVED = 0.1  # residual of an inner problem, relative to its start
WAITING = 0.02  # share of a step's time from which on it is printed
EXIT = {"done": 0, "goal": 0, "budget": 3, "interrupted": 130}


def pretrain(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="A recipe file, or the name of one that comes with metaglot.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key=value, e.g. training.steps=100")] = None,
    *,
    out: Annotated[Path | None, typer.Option(help="The run directory; runs/<name of the recipe> if absent.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint, bit for bit.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Drop the run that the directory holds.")] = False,
    track: Annotated[
        list[str] | None, typer.Option("--track", help="Log to tensorboard, trackio or wandb too; may stand twice.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Meta-train a model on a distribution of tasks, test it on held-out tasks, and save it.

    Exit codes: 0 done or goal met, 2 bad input, 3 the budget ended before the goal, 130 interrupted (and saved).

    Examples:

      metaglot pretrain recipes/english.yaml

      metaglot pretrain english training.steps=50 seed=1 --out runs/short

      metaglot pretrain english --out runs/short --resume
    """
    began = time.process_time()
    settings = _settings(recipe, overrides or [])
    folder = out or Path("runs") / settings.name
    prepare_folder(folder, resume=resume, force=force)
    context.with_resource(writing(folder))
    _check(settings)
    import torch

    from metaglot.assembly import assemble
    from metaglot.training import run
    from metaglot.training.checkpoint import list_steps
    from metaglot.training.run import metrics_note
    from metaglot.training.trackers import Tracked, check_trackers, open_trackers, tracked

    trackers = [*settings.training.trackers, *(track or [])]
    check_trackers(trackers)

    if settings.threads:
        torch.set_num_threads(settings.threads)
    say = (lambda _: None) if quiet or as_json else (lambda text: tell(text, err=True))
    with bars(quiet=quiet or as_json) as bar:
        assembled = assemble(settings, say, run=None if force else folder, bar=bar)
    _write_description(context, folder, settings, assembled, force=force)  # only now: a mistake costs no run
    if note := metrics_note(folder / "metrics.jsonl"):
        say(f"note: {printable(note)}")
    shown = Tracked(folder, settings.name, settings.model_dump(mode="json"), (list_steps(folder) or [0])[-1])
    with stop_flag() as stop, open_trackers(trackers, shown) as opened:
        plan = replace(assembled.plan, began=began)
        events = tracked(run(plan, folder, stop=stop), opened)
        last = watch(events, plan.optimisation.steps, quiet=quiet or as_json, metrics=plan.watched)
    outcome = _outcome(folder, last)
    if as_json:
        tell_json(outcome)
    elif not quiet:
        tell(_said(outcome, plan.watched))
    sys.exit(EXIT[last.reason or "done"])


def _settings(recipe: str, overrides: list[str]) -> "Recipe":
    """Return a recipe with its overrides; a name without an ending is that of one that comes with metaglot."""
    from metaglot.config import load_recipe, packaged_recipes

    path = recipe if Path(recipe).suffix in {".yaml", ".yml"} else str(packaged_recipes().get(recipe, recipe))
    return load_recipe(path, overrides)


def _check(settings: "Recipe") -> None:
    """Refuse, before torch is imported, an algorithm, data or a model that is not there."""
    from metaglot.cli.shared.checks import check_algorithm, check_recipe_data
    from metaglot.data.folders import check_model

    check_algorithm(settings.algorithm.name)
    check_recipe_data(settings)
    if settings.model.scratch is None:
        check_model(settings.model.name)


def _write_description(
    context: typer.Context, folder: Path, settings: "Recipe", assembled: "Assembled", *, force: bool
) -> None:
    """Write what the run is made of; with `force`, the run that the folder holds is dropped first."""
    from metaglot.assembly import write_run_files
    from metaglot.cli.shared.record import record_command
    from metaglot.config import dump_recipe
    from metaglot.data.owned import RUN, remove_owned
    from metaglot.data.seen import seen_of, write_seen

    if force and folder.is_dir() and any(folder.iterdir()):
        remove_owned(folder, RUN)
    described = assembled.description
    write_run_files(folder, dump_recipe(settings), described, base=assembled.base)
    write_seen(folder, seen_of(assembled.texts))
    record_command(folder, context, described["fingerprints"] | described["validation_fingerprints"])


def _outcome(folder: Path, last: "Event") -> dict[str, Any]:
    return {
        "outcome": last.reason,
        "out": str(folder),
        "step": last.state.step,
        "validation": dict(last.state.goal),
        "cpu_seconds": round(last.state.cpu_seconds, 1),
    }


def prepare_folder(folder: Path, *, resume: bool, force: bool) -> None:
    """Refuse a folder that holds another run, unless it is to be resumed, or dropped once all else is in order."""
    from metaglot.data.folders import is_dir
    from metaglot.data.rawfiles import is_there

    if resume and force:
        raise MetaglotError("--resume goes on with the run and --force drops it; give one of them")
    if is_there(folder) and not is_dir(folder):
        raise MetaglotError(f"--out {folder}: that is a file; name a folder")
    # A .part was being written when a run was killed.
    names = {path.name for path in folder.iterdir() if path.suffix != ".part"} if folder.is_dir() else set[str]()
    if names and (force or resume):
        _check_run(folder, whole=force)
    if names and not (resume or force):
        raise MetaglotError(
            f"--out {folder}: it is not empty; use --resume to go on with the run there, --force to drop it"
        )


def _check_run(folder: Path, *, whole: bool) -> None:
    from metaglot.data.owned import RUN, check_kind, check_owned

    try:
        (check_owned if whole else check_kind)(folder, RUN)
    except MetaglotError as error:
        raise MetaglotError(f"--out {folder}: it is not a run, or not that alone. {error}") from error


@contextmanager
def stop_flag() -> Generator[Callable[[], bool]]:
    """Give a function that tells whether Ctrl-C or SIGTERM came; a second Ctrl-C interrupts at once."""
    asked: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def bars(*, quiet: bool) -> "Generator[Callable[[str, int, int], None]]":
    """Give a function of (what, done, total) that shows a bar for each thing that is done, with the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as progress:
        known: dict[str, TaskID] = {}

        def bar(what: str, done: int, total: int) -> None:
            if what not in known:
                known[what] = progress.add_task(printable(what), total=total)
            progress.update(known[what], completed=done, total=total)

        yield bar


def watch(events: "Iterator[Event]", steps: int, *, metrics: Sequence[Metric], quiet: bool) -> "Event":
    """Show a progress bar with time left, and return the last event."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    last: Any = None
    columns = (
        TextColumn("meta-training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        task = progress.add_task("", total=steps, note="")
        notes, warned = {"step": "", "validation": ""}, False
        for last in events:
            if last.kind == "step":
                notes["step"] = _step_note(last.record)
                if not warned and (warning := unsolved_note(last.record)):
                    progress.console.print(warning, highlight=False)
                    warned = True
            elif last.kind == "validation":
                notes["validation"] = held_out_note(last.record, metrics)
                if not progress.console.is_terminal and not quiet:
                    progress.console.print(f"step {last.state.step}: {notes['validation']}")
            progress.update(task, completed=last.state.step, note=" · ".join(n for n in notes.values() if n))
    return last


def _step_note(record: "Record") -> str:
    """Return the loss of a step, the tokens a second, and the share of time waited for episodes if it is worth it."""
    seconds = float(record["seconds"])
    losses = [f"{name.replace('_', ' ')} {record[name]:.3f}" for name in LOSSES if name in record]
    speed = f"{float(record['tokens']) / seconds:,.0f} tokens/s" if seconds else ""
    waiting = float(record["waited_seconds"]) / seconds if seconds else 0.0
    waited = f"waiting {waiting:.0%}" if waiting > WAITING else ""
    return " · ".join(note for note in (*losses, speed, waited) if note)


def unsolved_note(record: "Record") -> str:
    """Return a warning where the inner problem of an implicit gradient was left far from its solution."""
    residual = float(record.get("residual", 0.0))
    if residual <= SOLVED:
        return ""
    return (
        f"note: the inner loop ends far from its solution (its gradient is {100 * residual:.0f} % of that at the "
        "start), so the implicit gradient is not that of the query loss; raise algorithm.steps or algorithm.proximal, "
        "or choose another lr or a smaller scope"
    )


def held_out_note(record: "Record", metrics: Sequence[Metric]) -> str:
    """Return what a validation found: the metrics on held-out tasks, perplexity of held-out text."""
    there = [metric for metric in metrics if metric.name in record]
    notes = [f"held-out {metric.words} {metric.with_unit(float(record[metric.name]))}" for metric in there]
    if "perplexity" in record:
        notes.append(f"held-out perplexity {float(record['perplexity']):.1f}")
    return ", ".join(notes)


def _said(outcome: dict[str, Any], metrics: Sequence[Metric]) -> str:
    found = held_out_note(outcome["validation"], metrics)
    held_out = f", {found}" if found else ""
    how = {
        "done": "done",
        "goal": "the goal is met",
        "budget": "the budget ended before the goal was met",
        "interrupted": "interrupted and saved; go on with --resume",
    }
    where = f"{outcome['cpu_seconds']} CPU-s, in {outcome['out']}"
    return f"{how[outcome['outcome']]}: step {outcome['step']}{held_out}, {where}"
