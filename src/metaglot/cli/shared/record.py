"""`command.json` in an output folder: the commands that filled it, with versions and hashes of the data.

Options that change no number are left out, and paths are those that were typed: nothing else of the machine is kept.
"""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import typer

from metaglot.errors import MetaglotError
from metaglot.version import __version__

FILE = "command.json"
FORMAT = 1
SILENT = frozenset({"out", "force", "quiet", "as_json", "by_task", "resume", "track", "help"})
PACKAGES = ("numpy", "scikit-learn", "tokenizers", "transformers", "setfit", "sentence-transformers")


class Asked(NamedTuple):
    """A command as it can be given again, and what it ran with."""

    arguments: list[str]  # after `metaglot`
    environment: dict[str, str]


class Recorded(NamedTuple):
    """What a folder says of itself."""

    command: str
    asked: tuple[Asked, ...]  # in order; a resumed command under the same versions stands once
    data: dict[str, str]  # what was read, with its hash


def record_command(folder: Path, context: typer.Context, data: Mapping[str, str], *, fresh: bool = False) -> None:
    """Add the command being run to the folder's record, or begin a new record if `fresh`; atomic."""
    from metaglot.data.cache import write_whole

    arguments = arguments_of(context)
    now = Asked(arguments, environment())
    before = None if fresh or not (folder / FILE).is_file() else read_command(folder)
    asked = before.asked if before else ()
    asked = asked if now in asked else (*asked, now)
    known = {**(before.data if before else {}), **data}
    record = {"format": FORMAT, "command": arguments[0], "runs": [one._asdict() for one in asked], "data": known}
    write_whole(folder / FILE, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def read_command(folder: Path) -> Recorded:
    """Return the record of a folder; raise MetaglotError where there is none or it is damaged."""
    file = folder / FILE
    if not file.is_file():
        raise MetaglotError(
            f"{folder}: no {FILE} there. Name an output folder of `metaglot pretrain`, `evaluate`, `bench` or "
            "`compare`; an older one gets its record when the same command is given again (pretrain: with --resume)"
        )
    from pydantic import Field

    from metaglot.data.checked import Stored, read_stored

    class Given(Stored):
        arguments: list[str] = Field(min_length=1, max_length=10_000)
        environment: dict[str, str | int | float]

    class Record(Stored):
        format: int
        command: str
        runs: list[Given] = Field(max_length=1000)
        data: dict[str, str | int | float]

    raw = read_stored(file, Record, "give the command that made the folder again")
    if raw.format != FORMAT:
        raise MetaglotError(f"{file}: not of format {FORMAT}; reproduce it with the version of metaglot that wrote it")
    if not raw.runs:
        raise MetaglotError(f"{file}: damaged (runs: no command is recorded); give the command that made it again")
    asked = tuple(Asked(run.arguments, _strings(run.environment)) for run in raw.runs)
    return Recorded(raw.command, asked, _strings(raw.data))


def arguments_of(context: typer.Context) -> list[str]:
    """Return the command's name, its options with the defaults filled in, `--` and its arguments."""
    options: list[str] = []
    arguments: list[str] = []
    for param in context.command.params:
        value = context.params.get(str(param.name))
        if param.name in SILENT or value is None or value is False or (value == "" and param.default == ""):
            continue
        values = [str(one) for one in cast("Sequence[Any]", value)] if isinstance(value, list | tuple) else [str(value)]
        if param.param_type_name == "argument":
            arguments += values
        elif value is True:
            options.append(param.opts[0])
        else:
            options += [word for one in values for word in (param.opts[0], one)]
    return [str(context.command.name), *options, "--", *arguments]


def environment() -> dict[str, str]:
    """Return what the bytes of a result depend on besides command and data."""
    from importlib.metadata import PackageNotFoundError, version

    import torch

    found = {"metaglot": __version__, "python": platform.python_version(), "machine": platform.machine()}
    found["torch"] = torch.__version__
    found["torch_build"] = hashlib.sha256(torch.__config__.show().encode()).hexdigest()[:16]
    found["cpu"] = torch.backends.cpu.get_cpu_capability()
    found["threads"] = str(torch.get_num_threads())
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # an extra
            continue
    return found


def hashes_of(files: Sequence[Path]) -> dict[str, str]:
    """Return the SHA-256 of each path that is a file, by the path as it was typed."""
    found: dict[str, str] = {}
    for path in files:
        if path.is_file():
            with path.open("rb") as file:
                found[str(path)] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _strings(raw: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in raw.items()}
