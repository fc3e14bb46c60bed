"""`metaglot reproduce`: repeats the command of a folder, and compares the bytes."""

import json
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from metaglot.cli.bench import bench
from metaglot.cli.compare import compare
from metaglot.cli.evaluate import evaluate
from metaglot.cli.pretrain import pretrain
from metaglot.cli.shared.live import watch
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.cli.shared.record import RECORD_FILE, CommandRecord, environment, hashes_of, read_command
from metaglot.cli.shared.replay import MOST_THREADS, check_most, checked_arguments, command_of
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.evaluation import Cell
    from metaglot.training import Event, Plan

SHOWN_DIFFERENCES = 5


def reproduce(
    run: Annotated[
        Path, typer.Argument(help="An output folder of `metaglot pretrain`, `evaluate`, `bench` or `compare`.")
    ],
    *,
    out: Annotated[Path | None, typer.Option(help="Folder for the second run; a temporary one if absent.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the verdict only.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Repeat the commands of a folder, from the same place, and compare parameters, metrics and rows, but no times.

    Exit codes: 0 the same bytes, 1 something differs (the first differences are printed), 2 bad input, or nothing to
    compare. A folder may come from anybody: only commands of metaglot in the form that it records are repeated.

    Examples:

      metaglot reproduce runs/english

      metaglot reproduce results/tickets --out second
    """
    recorded = read_command(run)
    if recorded.command not in REPEATABLE:
        raise MetaglotError(f"{run}: made by `metaglot {recorded.command}`; reproduce knows {', '.join(REPEATABLE)}")
    for call in recorded.calls:
        checked_arguments(call, REPEATABLE[recorded.command].command, run / RECORD_FILE)
        check_most(run / RECORD_FILE, "threads", call.environment.get("threads"), MOST_THREADS)
    with _folder(out) as folder:
        repetition = Repetition(run, folder, recorded, quiet or as_json)
        _set_threads(recorded)
        conditions = _conditions(recorded)
        for line in conditions:
            repetition.say(f"not as before: {line}")
        differences, compared = REPEATABLE[recorded.command].compare(repetition)
    outcome = {"outcome": "different" if differences else "equal", "compared": compared, "conditions": conditions}
    if as_json:
        tell_json({**outcome, "differences": differences})
    else:
        tell(_verdict(compared, [] if not differences else [*conditions, *differences]))
    sys.exit(1 if differences else 0)


def _verdict(compared: str, differences: list[str]) -> str:
    if not differences:
        return f"equal: {compared}"
    more = [f"and {len(differences) - SHOWN_DIFFERENCES} more"] if len(differences) > SHOWN_DIFFERENCES else []
    return "different: " + "\n".join([*differences[:SHOWN_DIFFERENCES], *more])


@contextmanager
def _folder(out: Path | None) -> Generator[Path]:
    if out is None:
        with tempfile.TemporaryDirectory(prefix="metaglot-reproduce-") as folder:
            yield Path(folder)
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise MetaglotError(f"--out {out}: it is not an empty folder; name another")
    yield out


def _set_threads(recorded: CommandRecord) -> None:
    """Use as many threads as the first time, since the order of sums depends on them."""
    import torch

    threads = recorded.calls[-1].environment.get("threads", "")
    if threads.isdigit() and int(threads):
        torch.set_num_threads(int(threads))


def _conditions(recorded: CommandRecord) -> list[str]:
    """Return the differences of versions and machine from the record; a result may be the same in spite of them."""
    now = environment()
    lines: list[str] = []
    for call in recorded.calls:
        lines += [f"{name} {before}, now {after}" for name, before, after in _changes(call.environment, now)]
    return list(dict.fromkeys(lines))


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    names = [name for name in {**before, **now} if before.get(name, "absent") != now.get(name, "absent")]
    return [(name, before.get(name, "absent"), now.get(name, "absent")) for name in names]


Verdict = tuple[list[str], str]  # the differences in their order; what was compared


class Repetition(NamedTuple):
    """The run to repeat, and the folder of the second run."""

    run: Path
    folder: Path
    recorded: CommandRecord
    quiet: bool

    def say(self, text: str) -> None:
        """Print a line, unless quiet."""
        if not self.quiet:
            tell(text, err=True)


def _repeat_pretrain(repetition: Repetition) -> Verdict:
    from metaglot.assembly import assemble, write_run_files
    from metaglot.config import dump_recipe, load_recipe
    from metaglot.training.checkpoint import latest

    newest = latest(repetition.run)
    recipe = load_recipe(repetition.run / "config.yaml", ["training.shard=false"])  # one process repeats it
    if newest is None:
        raise MetaglotError(f"{repetition.run}: no checkpoint there yet, so nothing to compare with; resume the run")
    assembled = assemble(recipe, repetition.say, run=repetition.run)
    hashes = assembled.description["fingerprints"] | assembled.description["validation_fingerprints"]
    if changes := _changes(repetition.recorded.data, hashes):
        return [f"data {name}: {before}, now {now}" for name, before, now in changes], "data"
    write_run_files(repetition.folder, dump_recipe(recipe), assembled.description, base=assembled.base)
    plan = replace(assembled.plan, cpu_minutes=None)  # a budget of time may end at another step
    step = int(newest.name.removeprefix("step-"))
    shown = replace(plan.optimisation, steps=step)
    watch(_until(step, plan, repetition.folder), shown, metrics=plan.watched, quiet=repetition.quiet)
    second_folder = repetition.folder / "checkpoints" / newest.name
    if not second_folder.is_dir():
        return [
            f"the run: ended at {getattr(latest(repetition.folder), 'name', 'no step')}, before {newest.name}"
        ], "steps"
    interval = plan.validate.every if recipe.budget.cpu_minutes is not None else 1
    lines = [_metrics(folder / "metrics.jsonl", step, interval) for folder in (repetition.run, repetition.folder)]
    if not lines[0] or not (newest / "params.safetensors").is_file():
        raise MetaglotError(
            f"{repetition.run}: no parameters or no metrics up to {newest.name}, so nothing to compare with"
        )
    differences = [*_parameter_differences(newest, second_folder), *_line_differences(lines[0], lines[1])]
    return differences, f"{newest.name} (parameters, moments) and {len(lines[0])} lines of metrics"


def _until(step: int, plan: "Plan", folder: Path) -> "Iterator[Event]":
    """Yield the events of a run that is stopped at a step."""
    from metaglot.training import run

    reached = [0]
    for event in run(plan, folder, stop=lambda: reached[0] >= step):
        reached[0] = event.state.step
        yield event


def _parameter_differences(before: Path, now: Path) -> list[str]:
    names = sorted({file.name for folder in (before, now) for file in folder.glob("*.safetensors")})
    hashes = [hashes_of([folder / name for name in names]) for folder in (before, now)]
    pairs = [(name, hashes[0].get(str(before / name)), hashes[1].get(str(now / name))) for name in names]
    return [
        f"{name} of {before.name}: SHA-256 {first}, now {second}" for name, first, second in pairs if first != second
    ]


def _metrics(file: Path, last_step: int, every: int) -> list[dict[str, Any]]:
    """Return the records up to a step, without times, and without validations where a budget ended between two."""
    from metaglot.training.run import read_metrics

    lines = [{key: value for key, value in line.items() if not key.endswith("seconds")} for line in read_metrics(file)]
    lines = [line for line in lines if int(line["step"]) <= last_step]
    return [line for line in lines if line.get("kind") != "validation" or int(line["step"]) % every == 0]


def _line_differences(before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> list[str]:
    differences = [
        f"metrics.jsonl, {first.get('kind')} at step {first.get('step')}: {name} {value}, now {other}"
        for first, second in zip(before, now, strict=False)
        for name, value, other in _changes(first, second)
    ]
    return (
        differences
        if len(before) == len(now)
        else [*differences, f"metrics.jsonl: {len(before)} lines, now {len(now)}"]
    )


def _repeat_evaluation(repetition: Repetition) -> Verdict:
    from metaglot.evaluation import read_results

    data = repetition.recorded.data
    if changes := _changes(data, hashes_of([Path(path) for path in data])):
        return [f"data {name}: {before}, now {now}" for name, before, now in changes], "data"
    for call in repetition.recorded.calls:
        repetition.say(f"metaglot {' '.join(call.arguments)}")
        arguments = _with_options(call.arguments[1:], "--quiet", "--out", str(repetition.folder))
        command_of(REPEATABLE[repetition.recorded.command].command).main(arguments, "metaglot", standalone_mode=False)
    differences: list[str] = []
    rows = extra_rows = 0
    for group in _groups(repetition.run):
        run, folder = repetition.run / group, repetition.folder / group
        before, now = (
            {result.cell: _row(asdict(result)) for result in read_results(results_folder)}
            for results_folder in (run, folder)
        )
        differences += [
            *_setting_differences(run, folder),
            *_cell_differences(str(group / "results.jsonl"), before, now),
        ]
        rows, extra_rows = rows + len(before), extra_rows + len(now.keys() - before.keys())
    if not rows:
        raise MetaglotError(f"{repetition.run}: no rows of results there, so nothing to compare with")
    note = f"; {extra_rows} more that the command makes were never written" if extra_rows else ""
    return differences, f"{rows} rows of results.jsonl{note}"


def _groups(run: Path) -> list[Path]:
    """Return the folders with results: the folder itself, or for a benchmark the folder of each group."""
    groups = sorted(file.parent.relative_to(run) for file in [*run.glob("results.jsonl"), *run.glob("*/results.jsonl")])
    if not groups:
        raise MetaglotError(f"{run}: no results there yet, so nothing to compare with; run its command again")
    return groups


def _cell_differences(
    file: str, before: "Mapping[Cell, Mapping[str, Any]]", now: "Mapping[Cell, Mapping[str, Any]]"
) -> list[str]:
    differences: list[str] = []
    for cell, row in before.items():
        where = f"{file}, {cell.task}, {cell.shot} shots, draw {cell.draw}, {cell.method}"
        now_row = now.get(cell)
        differences += [f"{where}: no such row now"] if now_row is None else []
        differences += [
            f"{where}: {name} {first}, now {second}" for name, first, second in _changes(row, now_row or row)
        ]
    return differences


def _with_options(arguments: list[str], *options: str) -> list[str]:
    place = arguments.index("--")
    return [*arguments[:place], *options, *arguments[place:]]


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a result that must be the same, with each score by the name of its metric."""
    from metaglot.evaluation.store import COSTS

    kept_fields = {name: value for name, value in row.items() if name not in COSTS}
    return kept_fields | kept_fields.pop("metrics")


def _setting_differences(run: Path, folder: Path) -> list[str]:
    """Return the differences of models, methods and tasks."""
    from metaglot.data.environment import SETTINGS, read_settings

    before, now = (read_settings(results_folder / SETTINGS) for results_folder in (run, folder))
    return [
        f"settings.json: {name}: {json.dumps(first)}, now {json.dumps(second)}"
        for name, first, second in _changes(before, now)
    ]


class Repeatable(NamedTuple):
    """A command that can be repeated, and the function that repeats and compares it."""

    command: Callable[..., None]
    compare: Callable[[Repetition], Verdict]


REPEATABLE: Mapping[str, Repeatable] = {
    "pretrain": Repeatable(pretrain, _repeat_pretrain),
    "evaluate": Repeatable(evaluate, _repeat_evaluation),
    "bench": Repeatable(bench, _repeat_evaluation),
    "compare": Repeatable(compare, _repeat_evaluation),
}
