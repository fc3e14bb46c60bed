"""`command.json` in an output folder: the commands that filled it, with versions and hashes of the data.

Options that change no number are left out.  Paths are those that the user typed, so that no other path is recorded.
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

RECORD_FILE = "command.json"
FORMAT = 1
UNRECORDED = frozenset(
    {"out", "force", "quiet", "as_json", "by_task", "resume", "track", "plain", "help", "ranks", "restarts", "on"}
    | {"workers"}
)
PACKAGES = ("numpy", "scikit-learn", "tokenizers", "transformers", "setfit", "sentence-transformers")


class Call(NamedTuple):
    """The arguments of a command, with which it can be repeated, and the environment that it ran in."""

    arguments: list[str]  # after `metaglot`
    environment: dict[str, str]


class CommandRecord(NamedTuple):
    """The record in a folder: the calls that made it, and the data that they read."""

    command: str
    calls: tuple[Call, ...]  # in order; a resumed command with the same versions is listed once
    data: dict[str, str]  # the hash of each file that was read


def record_command(folder: Path, context: typer.Context, data: Mapping[str, str], *, fresh: bool = False) -> None:
    """Add the current command to the record of the folder, or begin a new record if `fresh`; atomic."""
    from metaglot.data.cache import write_whole

    arguments = arguments_of(context)
    call = Call(arguments, environment())
    before = None if fresh or not (folder / RECORD_FILE).is_file() else read_command(folder)
    calls = before.calls if before else ()
    calls = calls if call in calls else (*calls, call)
    hashes = {**(before.data if before else {}), **data}
    stored = {"format": FORMAT, "command": arguments[0], "runs": [each._asdict() for each in calls], "data": hashes}
    write_whole(folder / RECORD_FILE, json.dumps(stored, indent=1, ensure_ascii=False) + "\n")


def read_command(folder: Path) -> CommandRecord:
    """Return the record of a folder; raise MetaglotError where there is none or it is damaged."""
    file = folder / RECORD_FILE
    if not file.is_file():
        raise MetaglotError(
            f"{folder}: no {RECORD_FILE} there. Name an output folder of `metaglot pretrain`, `evaluate`, `bench` or "
            "`compare`; an older one gets its record when the same command is given again (pretrain: with --resume)"
        )
    from pydantic import Field

    from metaglot.data.checked import Stored, read_stored

    class StoredCall(Stored):
        arguments: list[str] = Field(min_length=1, max_length=10_000)
        environment: dict[str, str | int | float]

    class StoredRecord(Stored):
        format: int
        command: str
        runs: list[StoredCall] = Field(max_length=1000)
        data: dict[str, str | int | float]

    raw = read_stored(file, StoredRecord, "give the command that made the folder again")
    if raw.format != FORMAT:
        raise MetaglotError(f"{file}: not of format {FORMAT}; reproduce it with the version of metaglot that wrote it")
    if not raw.runs:
        raise MetaglotError(f"{file}: damaged (runs: no command is recorded); give the command that made it again")
    calls = tuple(Call(run.arguments, _strings(run.environment)) for run in raw.runs)
    return CommandRecord(raw.command, calls, _strings(raw.data))


def arguments_of(context: typer.Context) -> list[str]:
    """Return the name of the command, its options with their defaults, `--` and its arguments."""
    options: list[str] = []
    arguments: list[str] = []
    for param in context.command.params:
        value = context.params.get(str(param.name))
        if param.name in UNRECORDED or value is None or value is False or (value == "" and param.default == ""):
            continue
        values = (
            [str(part) for part in cast("Sequence[Any]", value)] if isinstance(value, list | tuple) else [str(value)]
        )
        if param.param_type_name == "argument":
            arguments += values
        elif value is True:
            options.append(param.opts[0])
        else:
            options += [word for part in values for word in (param.opts[0], part)]
    return [str(context.command.name), *options, "--", *arguments]


def environment() -> dict[str, str]:
    """Return the versions and the machine, on which the bytes of a result depend besides command and data."""
    from importlib.metadata import PackageNotFoundError, version

    import torch

    versions = {"metaglot": __version__, "python": platform.python_version(), "machine": platform.machine()}
    versions["torch"] = torch.__version__
    versions["torch_build"] = hashlib.sha256(torch.__config__.show().encode()).hexdigest()[:16]
    versions["cpu"] = torch.backends.cpu.get_cpu_capability()
    versions["threads"] = str(torch.get_num_threads())
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # an extra
            continue
    return versions


def hashes_of(files: Sequence[Path]) -> dict[str, str]:
    """Return the SHA-256 of each path that is a file, by the path that the user typed."""
    hashes: dict[str, str] = {}
    for path in files:
        if path.is_file():
            with path.open("rb") as file:
                hashes[str(path)] = hashlib.file_digest(file, "sha256").hexdigest()
    return hashes


def _strings(raw: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in raw.items()}
