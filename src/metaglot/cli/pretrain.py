"""`metaglot pretrain`: meta-trains from a recipe, into a run directory."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metaglot.cli.shared.bars import bars
from metaglot.cli.shared.call import Call
from metaglot.cli.shared.options import On
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.cli.shared.ranks import Place, as_rank, is_rank, launch
from metaglot.cli.shared.run_folder import prepare_folder
from metaglot.cli.shared.stopping import stop_flag
from metaglot.cli.shared.workers import NumberOfWorkers, check_workers, with_workers
from metaglot.data.locks import writing
from metaglot.errors import MetaglotError, printable
from metaglot.metric import Metric

if TYPE_CHECKING:
    from metaglot.assembly.plan import Assembled
    from metaglot.config import Recipe
    from metaglot.training import Event
    from metaglot.training.trackers import Tracked
    from metaglot.types import Record

LOSSES = ("loss", "domain_loss", "plain_loss")
MOST_RESIDUAL = 0.1  # of an inner problem, relative to its start; above it a note is printed
LEAST_WAITING = 0.02  # share of a step's time; a larger one is printed
EXIT_CODES = {"done": 0, "goal": 0, "budget": 3, "interrupted": 130}


def pretrain(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="A recipe file, or the name of one that comes with metaglot.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key=value, e.g. training.steps=100")] = None,
    *,
    out: Annotated[Path | None, typer.Option(help="The run directory; runs/<name of the recipe> if absent.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint, bit for bit.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Delete the run in the directory first.")] = False,
    track: Annotated[
        list[str] | None, typer.Option("--track", help="Also log to tensorboard, trackio or wandb; may be given twice.")
    ] = None,
    on: On = None,
    workers: NumberOfWorkers = None,
    ranks: Annotated[
        int, typer.Option(min=1, max=1024, help="Processes that train together, each with a part of the episodes.")
    ] = 1,
    restarts: Annotated[int, typer.Option(min=0, help="How often all ranks are started again after one was lost.")] = 3,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Meta-train a model on a distribution of tasks, test it on held-out tasks, and save it.

    Exit codes: 0 done or goal met, 2 bad input, 3 the budget ended before the goal, 130 interrupted (and saved).

    Examples:

      metaglot pretrain recipes/english.yaml

      metaglot pretrain english training.steps=50 seed=1 --out runs/short

      metaglot pretrain english --out runs/short --resume

      metaglot pretrain english --ranks 4
    """
    check_workers(on, workers)
    if on is not None and (ranks > 1 or is_rank()):
        raise MetaglotError("--ranks takes steps together and --on ray does not wait for workers; give one of them")
    call = Call(
        recipe, tuple(overrides or ()), out, resume, force, tuple(track or ()), quiet or as_json, as_json, on, workers
    )
    if ranks > 1 and not is_rank():
        settings, folder = call.settings(), call.folder()
        prepare_folder(folder, resume=resume, force=force)
        with writing(folder):  # refused here if another process trains there; rank 0 holds it from now on
            _check(settings)
        sys.exit(launch(ranks, sys.argv[1:], restarts=restarts))
    with as_rank() as place:
        code = place.end(_train(context, call, place))
    sys.exit(code)


def _train(context: typer.Context, call: Call, place: Place) -> int:
    """Train, print the outcome, and return the exit code."""
    start = time.process_time()
    call, settings, folder = call.of(place), call.settings(), call.folder()
    if place.first:
        prepare_folder(folder, resume=call.resume, force=call.force)
        context.with_resource(writing(folder))
    _check(settings)
    import torch

    from metaglot.assembly import assemble
    from metaglot.training import run
    from metaglot.training.ranks import ALONE
    from metaglot.training.trackers import check_trackers, open_trackers, tracked

    trackers = [*settings.training.trackers, *call.track] if place.first else []
    check_trackers(trackers)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    say = (lambda _: None) if call.quiet else (lambda text: tell(text, err=True))
    ranks = place.ranks or ALONE
    with bars(quiet=call.quiet) as bar:
        assembled = assemble(settings, say, run=None if call.force else folder, bar=bar, ranks=ranks)
    ranks.exchange("assembled")  # no rank reads the folder from here on, and none has failed so far
    if place.first:  # after all checks: a mistake deletes no run
        _write_description(context, folder, settings, assembled, force=call.force)
        place.begin()
        _say_what_is_there(folder, place, say)
    facts = _facts(folder, settings)
    with stop_flag(once=place.ranks is None) as stop, open_trackers(trackers, facts) as tracker_list:
        plan = replace(assembled.plan, began=start, ranks=ranks)
        plan = with_workers(context, plan, settings, folder, on=call.on, workers=call.workers)
        events = tracked(run(plan, folder, stop=lambda: stop() or place.left()), tracker_list)
        last_event = watch(events, plan.optimisation.steps, quiet=call.quiet, metrics=plan.watched)
    outcome = _outcome(folder, last_event)
    if call.as_json and place.first:
        tell_json(outcome)
    elif not call.quiet:
        tell(_summary(outcome, plan.watched))
    return EXIT_CODES[last_event.reason or "done"]


def _facts(folder: Path, settings: "Recipe") -> "Tracked":
    """Return what trackers are told of the run."""
    from metaglot.training.checkpoint import list_steps
    from metaglot.training.trackers import Tracked

    return Tracked(folder, settings.name, settings.model_dump(mode="json"), (list_steps(folder) or [0])[-1])


def _say_what_is_there(folder: Path, place: Place, say: "Callable[[str], None]") -> None:
    from metaglot.training.checkpoint import list_steps
    from metaglot.training.run import metrics_note

    if note := metrics_note(folder / "metrics.jsonl"):
        say(f"note: {printable(note)}")
    if place.restarted:
        tell(f"note: a rank was lost; all go on from step {(list_steps(folder) or [0])[-1]}", err=True)


def _check(settings: "Recipe") -> None:
    """Raise MetaglotError, before torch is imported, for an unknown algorithm, absent data and an absent model."""
    from metaglot.cli.shared.checks import check_algorithm, check_recipe_data
    from metaglot.data.folders import check_model

    check_algorithm(settings.algorithm.name)
    check_recipe_data(settings)
    if settings.model.scratch is None:
        check_model(settings.model.name)


def _write_description(
    context: typer.Context, folder: Path, settings: "Recipe", assembled: "Assembled", *, force: bool
) -> None:
    """Write the description of the run; with `force`, the run in the folder is deleted first."""
    from metaglot.assembly import write_run_files
    from metaglot.cli.shared.record import record_command
    from metaglot.config import dump_recipe
    from metaglot.data.owned import RUN, remove_owned
    from metaglot.data.seen import seen_of, write_seen

    if force and folder.is_dir() and any(folder.iterdir()):
        remove_owned(folder, RUN)
    description = assembled.description
    write_run_files(folder, dump_recipe(settings), description, base=assembled.base)
    write_seen(folder, seen_of(assembled.texts))
    record_command(folder, context, description["fingerprints"] | description["validation_fingerprints"])


def _outcome(folder: Path, last: "Event") -> dict[str, Any]:
    return {
        "outcome": last.reason,
        "out": str(folder),
        "step": last.state.step,
        "validation": dict(last.state.goal),
        "cpu_seconds": round(last.state.cpu_seconds, 1),
    }


def watch(events: "Iterator[Event]", steps: int, *, metrics: Sequence[Metric], quiet: bool) -> "Event":
    """Show a progress bar with time left, and return the last event."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    last_event: Any = None
    columns = (
        TextColumn("meta-training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        task = progress.add_task("", total=steps, note="")
        notes, has_warnedote = {"step": "", "validation": ""}, False
        for last_event in events:
            if last_event.kind == "damaged":
                tell(_damaged_note(last_event.record), err=True)
            elif last_event.kind == "step":
                notes["step"] = _step_note(last_event.record)
                if not has_warnedote and (warning := unsolved_note(last_event.record)):
                    progress.console.print(warning, highlight=False)
                    has_warnedote = True
            elif last_event.kind == "validation":
                notes["validation"] = held_out_note(last_event.record, metrics)
                if not progress.console.is_terminal and not quiet:
                    progress.console.print(f"step {last_event.state.step}: {notes['validation']}")
            progress.update(task, completed=last_event.state.step, note=" · ".join(n for n in notes.values() if n))
    return last_event


def _damaged_note(record: "Record") -> str:
    """Return a warning of a checkpoint that was put aside; it is said with --quiet too."""
    return (
        f"warning: the checkpoint {record['checkpoint']} is damaged ({record['why']}); it was put aside as "
        f"{record['now']}, and the run goes on from step {record['step']}"
    )


def _step_note(record: "Record") -> str:
    """Return the loss of a step, the tokens a second and, if it is large, the share of time waiting for episodes."""
    seconds = float(record["seconds"])
    losses = [f"{name.replace('_', ' ')} {record[name]:.3f}" for name in LOSSES if name in record]
    speed = f"{float(record['tokens']) / seconds:,.0f} tokens/s" if seconds else ""
    waiting_share = float(record["waited_seconds"]) / seconds if seconds else 0.0
    waiting_note = f"waiting {waiting_share:.0%}" if waiting_share > LEAST_WAITING else ""
    return " · ".join(note for note in (*losses, speed, waiting_note) if note)


def unsolved_note(record: "Record") -> str:
    """Return a warning where the inner problem of an implicit gradient ended far from its solution."""
    residual = float(record.get("residual", 0.0))
    if residual <= MOST_RESIDUAL:
        return ""
    return (
        f"note: the inner loop ends far from its solution (its gradient is {100 * residual:.0f} % of that at the "
        "start), so the implicit gradient is not that of the query loss; raise algorithm.steps or algorithm.proximal, "
        "or choose another lr or a smaller scope"
    )


def held_out_note(record: "Record", metrics: Sequence[Metric]) -> str:
    """Return the outcome of a validation: the metrics on held-out tasks, the perplexity of held-out text."""
    recorded = [metric for metric in metrics if metric.name in record]
    notes = [f"held-out {metric.words} {metric.format_with_unit(float(record[metric.name]))}" for metric in recorded]
    if "perplexity" in record:
        notes.append(f"held-out perplexity {float(record['perplexity']):.1f}")
    return ", ".join(notes)


def _summary(outcome: dict[str, Any], metrics: Sequence[Metric]) -> str:
    scores = held_out_note(outcome["validation"], metrics)
    held_out = f", {scores}" if scores else ""
    endings = {
        "done": "done",
        "goal": "the goal is met",
        "budget": "the budget ended before the goal was met",
        "interrupted": "interrupted and saved; go on with --resume",
    }
    place = f"{outcome['cpu_seconds']} CPU-s, in {outcome['out']}"
    return f"{endings[outcome['outcome']]}: step {outcome['step']}{held_out}, {place}"
