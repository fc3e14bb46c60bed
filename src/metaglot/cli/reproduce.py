"""`metaglot reproduce`: a run directory's command once more, and whether the same bytes come."""

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
from metaglot.cli.pretrain import pretrain, watch
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.cli.shared.record import FILE, Recorded, environment, hashes_of, read_command
from metaglot.cli.shared.replay import MOST_THREADS, check_most, checked_arguments, command_of
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.evaluation import Cell
    from metaglot.training import Event, Plan

SHOWN = 5  # differences told


def reproduce(
    run: Annotated[
        Path, typer.Argument(help="An output folder of `metaglot pretrain`, `evaluate`, `bench` or `compare`.")
    ],
    *,
    out: Annotated[Path | None, typer.Option(help="Folder for the second run; a temporary one if absent.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and nothing but the verdict.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Give a folder's commands again, from the same place, and compare: parameters, metrics, rows; times left out.

    Exit codes: 0 the same bytes, 1 something differs (the first that does is said), 2 bad input, or nothing to compare.
    A folder may come from anybody: only commands of metaglot in the form that it records are given again.

    Examples:

      metaglot reproduce runs/english

      metaglot reproduce results/tickets --out second
    """
    recorded = read_command(run)
    if recorded.command not in AGAIN:
        raise MetaglotError(f"{run}: made by `metaglot {recorded.command}`; reproduce knows {', '.join(AGAIN)}")
    for asked in recorded.asked:
        checked_arguments(asked, AGAIN[recorded.command].command, run / FILE)
        check_most(run / FILE, "threads", asked.environment.get("threads"), MOST_THREADS)
    with _folder(out) as folder:
        again = Again(run, folder, recorded, quiet or as_json)
        _set_threads(recorded)
        conditions = _conditions(recorded)
        for line in conditions:
            again.say(f"not as it was: {line}")
        differences, compared = AGAIN[recorded.command].compare(again)
    outcome = {"outcome": "different" if differences else "equal", "compared": compared, "conditions": conditions}
    if as_json:
        tell_json({**outcome, "differences": differences})
    else:
        tell(_said(compared, [] if not differences else [*conditions, *differences]))
    sys.exit(1 if differences else 0)


def _said(compared: str, differences: list[str]) -> str:
    if not differences:
        return f"equal: {compared}"
    more = [f"and {len(differences) - SHOWN} more"] if len(differences) > SHOWN else []
    return "different: " + "\n".join([*differences[:SHOWN], *more])


@contextmanager
def _folder(out: Path | None) -> Generator[Path]:
    if out is None:
        with tempfile.TemporaryDirectory(prefix="metaglot-reproduce-") as folder:
            yield Path(folder)
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise MetaglotError(f"--out {out}: it is not an empty folder; name another")
    yield out


def _set_threads(recorded: Recorded) -> None:
    """Use as many threads as the first time: the order of sums is part of what makes a run the same."""
    import torch

    threads = recorded.asked[-1].environment.get("threads", "")
    if threads.isdigit() and int(threads):
        torch.set_num_threads(int(threads))


def _conditions(recorded: Recorded) -> list[str]:
    """Return how versions and machine are not those of the record; none of it need change a result."""
    now = environment()
    lines: list[str] = []
    for asked in recorded.asked:
        lines += [f"{name} {was}, now {is_now}" for name, was, is_now in _unlike(asked.environment, now)]
    return list(dict.fromkeys(lines))


def _unlike(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    names = [name for name in {**before, **now} if before.get(name, "absent") != now.get(name, "absent")]
    return [(name, before.get(name, "absent"), now.get(name, "absent")) for name in names]


Verdict = tuple[list[str], str]  # what differs, the first first; what was compared


class Again(NamedTuple):
    """What is to be done again, and where."""

    run: Path
    folder: Path
    recorded: Recorded
    quiet: bool

    def say(self, text: str) -> None:
        """Tell the user, unless quiet."""
        if not self.quiet:
            tell(text, err=True)


def _pretrain_again(again: Again) -> Verdict:
    from metaglot.assembly import assemble, write_run_files
    from metaglot.config import dump_recipe, load_recipe
    from metaglot.training.checkpoint import latest

    newest, recipe = latest(again.run), load_recipe(again.run / "config.yaml")
    if newest is None:
        raise MetaglotError(f"{again.run}: no checkpoint there yet, so nothing to compare with; resume the run")
    assembled = assemble(recipe, again.say, run=again.run)
    held = assembled.description["fingerprints"] | assembled.description["validation_fingerprints"]
    if changed := _unlike(again.recorded.data, held):
        return [f"data {name}: {before}, now {now}" for name, before, now in changed], "data"
    write_run_files(again.folder, dump_recipe(recipe), assembled.description, base=assembled.base)
    plan = replace(assembled.plan, cpu_minutes=None)  # a budget of time may end at another step
    step = int(newest.name.removeprefix("step-"))
    watch(_until(step, plan, again.folder), step, metrics=plan.watched, quiet=again.quiet)
    second = again.folder / "checkpoints" / newest.name
    if not second.is_dir():
        return [f"the run: ended at {getattr(latest(again.folder), 'name', 'no step')}, before {newest.name}"], "steps"
    every = plan.validate.every if recipe.budget.cpu_minutes is not None else 1
    lines = [_metrics(one / "metrics.jsonl", step, every) for one in (again.run, again.folder)]
    if not lines[0] or not (newest / "params.safetensors").is_file():
        raise MetaglotError(f"{again.run}: no parameters or no metrics up to {newest.name}, so nothing to compare with")
    differences = [*_parameters(newest, second), *_lines(lines[0], lines[1])]
    return differences, f"{newest.name} (parameters, moments) and {len(lines[0])} lines of metrics"


def _until(step: int, plan: "Plan", folder: Path) -> "Iterator[Event]":
    """Yield the events of a run that ends at a step, wherever its own schedule ends."""
    from metaglot.training import run

    reached = [0]
    for event in run(plan, folder, stop=lambda: reached[0] >= step):
        reached[0] = event.state.step
        yield event


def _parameters(before: Path, now: Path) -> list[str]:
    names = sorted({file.name for folder in (before, now) for file in folder.glob("*.safetensors")})
    hashes = [hashes_of([folder / name for name in names]) for folder in (before, now)]
    pairs = [(name, hashes[0].get(str(before / name)), hashes[1].get(str(now / name))) for name in names]
    return [f"{name} of {before.name}: SHA-256 {was}, now {got}" for name, was, got in pairs if was != got]


def _metrics(file: Path, upto: int, every: int) -> list[dict[str, Any]]:
    """Return the records up to a step, without times and without validations at odd steps, where a budget ended."""
    from metaglot.training.run import read_metrics

    lines = [{k: v for k, v in line.items() if not k.endswith("seconds")} for line in read_metrics(file)]
    lines = [line for line in lines if int(line["step"]) <= upto]
    return [line for line in lines if line.get("kind") != "validation" or int(line["step"]) % every == 0]


def _lines(before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> list[str]:
    found = [
        f"metrics.jsonl, {was.get('kind')} at step {was.get('step')}: {name} {value}, now {other}"
        for was, got in zip(before, now, strict=False)
        for name, value, other in _unlike(was, got)
    ]
    return found if len(before) == len(now) else [*found, f"metrics.jsonl: {len(before)} lines, now {len(now)}"]


def _evaluate_again(again: Again) -> Verdict:
    from metaglot.evaluation import read_results

    data = again.recorded.data
    if changed := _unlike(data, hashes_of([Path(path) for path in data])):
        return [f"data {name}: {before}, now {now}" for name, before, now in changed], "data"
    for asked in again.recorded.asked:
        again.say(f"metaglot {' '.join(asked.arguments)}")
        words = _with(asked.arguments[1:], "--quiet", "--out", str(again.folder))
        command_of(AGAIN[again.recorded.command].command).main(words, "metaglot", standalone_mode=False)
    differences: list[str] = []
    rows = lacking = 0
    for group in _groups(again.run):
        run, folder = again.run / group, again.folder / group
        before, now = ({r.cell: _row(asdict(r)) for r in read_results(one)} for one in (run, folder))
        differences += [*_settings(run, folder), *_cells(str(group / "results.jsonl"), before, now)]
        rows, lacking = rows + len(before), lacking + len(now.keys() - before.keys())
    if not rows:
        raise MetaglotError(f"{again.run}: no rows of results there, so nothing to compare with")
    cut = f"; {lacking} more that the command makes were never written" if lacking else ""
    return differences, f"{rows} rows of results.jsonl{cut}"


def _groups(run: Path) -> list[Path]:
    """Return where the results of a folder lie: in it, or for a benchmark in the folder of each group."""
    found = sorted(file.parent.relative_to(run) for file in [*run.glob("results.jsonl"), *run.glob("*/results.jsonl")])
    if not found:
        raise MetaglotError(f"{run}: no results there yet, so nothing to compare with; give its command again")
    return found


def _cells(file: str, before: "Mapping[Cell, Mapping[str, Any]]", now: "Mapping[Cell, Mapping[str, Any]]") -> list[str]:
    differences: list[str] = []
    for cell, row in before.items():
        where = f"{file}, {cell.task}, {cell.shot} shots, draw {cell.draw}, {cell.method}"
        got = now.get(cell)
        differences += [f"{where}: no such row now"] if got is None else []
        differences += [f"{where}: {name} {was}, now {is_now}" for name, was, is_now in _unlike(row, got or row)]
    return differences


def _with(arguments: list[str], *options: str) -> list[str]:
    at = arguments.index("--")
    return [*arguments[:at], *options, *arguments[at:]]


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a result must come out again, each score by the name of its metric."""
    from metaglot.evaluation.store import COSTS

    same = {name: value for name, value in row.items() if name not in COSTS}
    return same | same.pop("metrics")


def _settings(run: Path, folder: Path) -> list[str]:
    """Return what of models, methods and tasks is not as it was."""
    from metaglot.data.environment import SETTINGS, read_settings

    before, now = (read_settings(one / SETTINGS) for one in (run, folder))
    return [
        f"settings.json: {name}: {json.dumps(was)}, now {json.dumps(got)}" for name, was, got in _unlike(before, now)
    ]


class Repeatable(NamedTuple):
    """A command that is given again, and what compares its output with the first."""

    command: Callable[..., None]
    compare: Callable[[Again], Verdict]


AGAIN: Mapping[str, Repeatable] = {
    "pretrain": Repeatable(pretrain, _pretrain_again),
    "evaluate": Repeatable(evaluate, _evaluate_again),
    "bench": Repeatable(bench, _evaluate_again),
    "compare": Repeatable(compare, _evaluate_again),
}
