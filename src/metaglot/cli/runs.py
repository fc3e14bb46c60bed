"""`metaglot runs list | show | clean`: what run folders hold, and what can go from them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metaglot.cli.shared.bars import bars
from metaglot.cli.shared.options import ErrorsOnly, Json
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.cli.shared.usage import Command, group
from metaglot.errors import printable_line

if TYPE_CHECKING:
    from metaglot.runs.cleaning import Removable
    from metaglot.runs.folders import Checkpoint, RunFacts

app = group(
    "See the runs in a folder, whether they are whole, and remove what is no use any more.",
    end="Example: metaglot runs list runs",
)
Under = Annotated[Path, typer.Argument(help="A run, or a folder that holds runs at any depth.")]


@app.command("list", cls=Command)
def list_(path: Under = Path("runs"), *, as_json: Json = False) -> None:
    """List the runs in a folder: algorithm, steps, whether the newest checkpoint is whole, validation, size, age.

    Example: metaglot runs list runs
    """
    runs = _runs_in(path, quiet=as_json)
    if as_json:
        tell_json([_record(run) for run in runs], indent=1)
        return
    if not runs:
        tell(f"{path}: no run there; `metaglot pretrain` makes one")
        return
    rows = [
        (str(run.folder), run.algorithm, _steps(run), _state(run), run.primary, _size(run.bytes), _age(run.seconds))
        for run in runs
    ]
    _grid([("run", "algorithm", "steps", "newest checkpoint", "validation", "size", "written"), *rows])


@app.command(cls=Command)
def show(
    run: Annotated[Path, typer.Argument(help="A run directory.", show_default=False)], *, as_json: Json = False
) -> None:
    """Show one run: every checkpoint with the state of its hashes, the last validation, and what can go.

    Example: metaglot runs show runs/english
    """
    from metaglot.data.folders import run_at
    from metaglot.runs.cleaning import removable
    from metaglot.runs.folders import RUN, facts_of

    if not (run / RUN).is_file():
        run_at(run)
    facts = facts_of(run, every=True)
    going = removable(facts, keep=2, under=run)
    if as_json:
        checkpoints = [_of_checkpoint(one) for one in facts.checkpoints]
        tell_json(
            _record(facts) | {"checkpoints": checkpoints, "removable": [_of_removable(one) for one in going]}, indent=1
        )
        return
    lines = [
        ("run", str(facts.folder)),
        ("algorithm", facts.algorithm),
        ("base", facts.base),
        ("steps", _steps(facts)),
        ("state", _state(facts)),
        *((name, f"{value:.6g}") for name, value in facts.validation.items()),
        (
            "size",
            f"{_size(facts.bytes)}, {_size(sum(one.bytes for one in going))} of them can go (metaglot runs clean)",
        ),
        ("written", _age(facts.seconds)),
    ]
    _grid([line for line in lines if line[1]])
    _grid(
        [
            ("checkpoint", "size", "state"),
            *((one.folder.name, _size(one.bytes), one.damage or "whole") for one in facts.checkpoints),
        ]
    )


@app.command(cls=Command)
def clean(
    path: Under = Path("runs"),
    *,
    keep: Annotated[int, typer.Option(min=1, help="Whole checkpoints of each run that stay, the newest ones.")] = 2,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; without it nothing is removed, only told.")] = False,
    quiet: ErrorsOnly = False,
    as_json: Json = False,
) -> None:
    """Tell what is no use any more in runs, or remove it: leftovers of interrupted writes, damaged and old checkpoints.

    Of a run that somebody trains nothing goes, nor where no checkpoint is whole, nor what a link leads to outside of
    the folder.

    Examples:

      metaglot runs clean runs

      metaglot runs clean runs/english --keep 1 --yes
    """
    from metaglot.runs.cleaning import clean_run, removable

    going: list[Removable] = []
    for run in _runs_in(path, every=True, quiet=quiet or as_json):
        if not quiet and (note := _what_stays(run, path)):
            tell(f"note: {run.folder}: {note}", err=True)
        found = removable(run, keep=keep, under=path)
        going += clean_run(run.folder, keep=keep, under=path) if yes and found else found
    freed = sum(one.bytes for one in going)
    if as_json:
        tell_json({"removed": yes, "bytes": freed, "paths": [_of_removable(one) for one in going]}, indent=1)
    elif not quiet:
        _grid([(str(one.path), one.why, _size(one.bytes)) for one in going])
        told = f"{_size(freed)} freed" if yes else f"{_size(freed)} would be freed; add --yes to remove them"
        tell(told if going else f"{path}: there is nothing to remove")


def _what_stays(run: "RunFacts", under: Path) -> str:
    """Return why something of a run is not removed that looks as if it could be; "" if nothing is."""
    from metaglot.runs.cleaning import led_out

    if run.writer is not None:
        return f"left as it is, since {run.writer} is writing there"
    if (link := led_out(run.folder, under)) is not None:
        return f"left as it is, since a link leads from {link} to {link.resolve()}, outside of {under}"
    if run.newest is not None and all(one.damage for one in run.checkpoints):
        return "no checkpoint is whole, so that the damaged ones stay"
    return ""


def _runs_in(path: Path, *, every: bool = False, quiet: bool) -> list["RunFacts"]:
    """Return what runs hold, with a bar on a terminal: hashing many checkpoints takes a while."""
    from metaglot.runs.folders import facts_of, run_folders

    folders, found = list(run_folders(path)), list["RunFacts"]()
    with bars(quiet=quiet) as bar:
        for number, folder in enumerate(folders):
            bar("checking runs", number, len(folders))
            found.append(facts_of(folder, every=every))
    return found


def _record(run: "RunFacts") -> dict[str, Any]:
    newest = run.newest
    return {
        "run": str(run.folder),
        "algorithm": run.algorithm,
        "base": run.base,
        "step": newest.step if newest else 0,
        "steps": run.steps,
        "resumable": run.resumable,
        "newest": _of_checkpoint(newest) if newest else None,
        "validation": run.validation,
        "bytes": run.bytes,
        "seconds": round(run.seconds, 1),
        "writer": run.writer,
        "fault": run.fault,
    }


def _of_checkpoint(one: "Checkpoint") -> dict[str, Any]:
    return {
        "name": one.folder.name,
        "step": one.step,
        "bytes": one.bytes,
        "whole": one.damage is None,
        "damage": one.damage,
    }


def _of_removable(one: "Removable") -> dict[str, Any]:
    return {"path": str(one.path), "why": one.why, "bytes": one.bytes}


def _steps(run: "RunFacts") -> str:
    done = run.newest.step if run.newest else 0
    return f"{done:,} of {run.steps:,}" if run.steps is not None else f"{done:,}"


def _state(run: "RunFacts") -> str:
    newest = run.newest
    if run.fault is not None:
        state = f"damaged: {run.fault}"
    elif newest is None:
        state = "none yet"
    elif newest.damage is not None:
        state = f"{newest.folder.name} is damaged ({newest.damage})"
    else:
        state = f"{newest.folder.name} is whole" + ("" if run.resumable else ", weights alone")
    return state if run.writer is None else f"{state}; {run.writer} is writing there"


def _size(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def _age(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} seconds ago"


def _grid(rows: list[tuple[str, ...]]) -> None:
    """Print rows in columns, the last of any width."""
    rows = [tuple(printable_line(cell) for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    for row in rows:
        tell("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
