"""`metaglot pretrain`: meta-trains from a recipe, into a run directory."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metaglot.cli.shared.bars import bars
from metaglot.cli.shared.call import Call
from metaglot.cli.shared.live import held_out_note, watch
from metaglot.cli.shared.options import On
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.cli.shared.ranks import Place, as_rank, is_rank, launch
from metaglot.cli.shared.run_folder import prepare_folder
from metaglot.cli.shared.stopping import stop_flag
from metaglot.cli.shared.workers import NumberOfWorkers, check_workers, hold_cluster, with_workers
from metaglot.data.locks import writing
from metaglot.errors import MetaglotError, printable
from metaglot.metric import Metric

if TYPE_CHECKING:
    from metaglot.assembly.plan import Assembled
    from metaglot.config import Recipe
    from metaglot.training import Event
    from metaglot.training.trackers import Tracked

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
    plain: Annotated[
        bool, typer.Option("--plain", help="Lines for a log in place of the live view, as where there is no terminal.")
    ] = False,
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
        recipe=recipe,
        overrides=tuple(overrides or ()),
        out=out,
        resume=resume,
        force=force,
        track=tuple(track or ()),
        quiet=quiet or as_json,
        as_json=as_json,
        on=on,
        workers=workers,
        plain=plain,
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
    start = time.process_time() if context.obj is None else float(context.obj)
    call, settings, folder = call.of(place), call.settings(), call.folder()
    if place.first:
        prepare_folder(folder, resume=call.resume, force=call.force)
        context.with_resource(writing(folder))
    _check(settings)
    from metaglot.assembly import assemble
    from metaglot.training import run
    from metaglot.training.ranks import ALONE
    from metaglot.training.trackers import check_trackers, open_trackers, tracked

    trackers = [*settings.training.trackers, *call.track] if place.first else []
    check_trackers(trackers)
    _prepare_torch(settings.threads)
    say = (lambda _: None) if call.quiet else (lambda text: tell(text, err=True))
    ranks = place.ranks or ALONE
    with bars(quiet=call.quiet) as bar:
        assembled = assemble(settings, say, run=None if call.force else folder, bar=bar, ranks=ranks)
    hold_cluster(context, call.on)  # before anything is written
    ranks.exchange("assembled")  # no rank reads the folder from here on, and none has failed so far
    if place.first:  # after all checks: a mistake deletes no run
        _write_description(context, folder, settings, assembled, force=call.force)
        place.begin()
        _say_what_is_there(folder, place, say)
    facts = _facts(folder, settings, trackers)
    with stop_flag(once=place.ranks is None) as stop, open_trackers(trackers, facts) as tracker_list:
        plan = replace(assembled.plan, began=start, ranks=ranks)
        plan = with_workers(context, plan, settings, folder, on=call.on, workers=call.workers)
        events = tracked(run(plan, folder, stop=lambda: stop() or place.left()), tracker_list)
        last_event = watch(events, plan.optimisation, quiet=call.quiet, metrics=plan.watched, plain=call.plain)
    outcome = _outcome(folder, last_event)
    if call.as_json and place.first:
        tell_json(outcome)
    elif not call.quiet:
        tell(_summary(outcome, plan.watched))
    return EXIT_CODES[last_event.reason or "done"]


def _prepare_torch(threads: int | None) -> None:
    """Set what torch reads before its first sum; its own number of threads if none is given."""
    import torch

    from metaglot.training.memory import keep_few_kernels

    if threads:
        torch.set_num_threads(threads)
    keep_few_kernels()


def _facts(folder: Path, settings: "Recipe", trackers: Sequence[str]) -> "Tracked":
    """Return what trackers are told of the run."""
    from metaglot.training.trackers import Tracked

    step = _saved_step(folder) if trackers else 0
    return Tracked(folder, settings.name, settings.model_dump(mode="json"), step)


def _saved_step(folder: Path) -> int:
    """Return the step that a run goes on from: that of the newest checkpoint that is whole."""
    from metaglot.data.checkpoints import newest_whole

    whole, _ = newest_whole(folder)
    return 0 if whole is None else int(whole.name.removeprefix("step-"))


def _say_what_is_there(folder: Path, place: Place, say: "Callable[[str], None]") -> None:
    from metaglot.training.run import metrics_note

    if note := metrics_note(folder / "metrics.jsonl"):
        say(f"note: {printable(note)}")
    if place.restarted:
        tell(f"note: a rank was lost; all go on from step {_saved_step(folder)}", err=True)


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
