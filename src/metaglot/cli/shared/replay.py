"""Checks a recorded command before `metaglot reproduce` repeats it, since a record may come from anybody."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
import typer.main

from metaglot.cli.shared.record import UNRECORDED, Call
from metaglot.errors import MetaglotError

MOST_THREADS = 1024
MOST_JOBS = 64  # processes, each of which holds the model
FORBIDDEN = frozenset(
    {*UNRECORDED, "dry_run"}
)  # never in a record: each changes the folder that is made, or makes none


def command_of(function: Callable[..., Any]) -> Any:
    """Return the click command of a function of this command line."""
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(function.__name__)(function)
    return typer.main.get_command(single)


def checked_arguments(call: Call, function: Callable[..., Any], file: Path) -> list[str]:
    """Return the arguments of a recorded command after checking them.

    They are those of the command `function`, in the form that metaglot records: its name, options, `--`, arguments.
    Raises MetaglotError that names the file for another command or form, an option that is unknown or never recorded,
    a value of the wrong type, and for too many threads or processes.
    """
    arguments, command = call.arguments, function.__name__
    if arguments[0] != command:
        raise MetaglotError(
            f"{file}: it records `metaglot {arguments[0]}` in a folder of `metaglot {command}`; it is not repeated"
        )
    if "--" not in arguments:
        raise MetaglotError(f"{file}: not a command as metaglot records it, which has `--` before its arguments")
    values = _parse(function, arguments[1:], file)
    forbidden = {name for name in FORBIDDEN if values.get(name)}
    if forbidden:
        option = f"--{min(forbidden).replace('_', '-')}"
        raise MetaglotError(f"{file}: it holds {option}, which metaglot never records; it is not repeated")
    check_most(file, "threads", values.get("threads"), MOST_THREADS)
    check_most(file, "jobs", values.get("jobs"), MOST_JOBS)
    return arguments


def check_most(file: Path, what: str, count: Any, most: int) -> None:
    """Raise MetaglotError for a recorded value that is no number from 1 to `most`."""
    if count is None or count == "":
        return
    number = int(count) if str(count).isascii() and str(count).isdecimal() and len(str(count)) < 10 else 0
    if not 1 <= number <= most:
        raise MetaglotError(f"{file}: {str(count)[:40]} {what}, expected 1 to {most:,}; the command is not repeated")


def _parse(function: Callable[..., Any], arguments: Sequence[str], file: Path) -> Mapping[str, Any]:
    """Return the values that a call gives, without running it; a record does not have `out`."""
    command = command_of(function)
    known_options = {option for param in command.params for option in param.opts}
    options = arguments[: list(arguments).index("--")]
    for word in options:
        if word in {"--help", "-h"} or (word.startswith("--") and word.partition("=")[0] not in known_options):
            raise MetaglotError(f"{file}: it holds {word[:60]}, which metaglot never records; it is not repeated")
    try:
        context = command.make_context(command.name, ["--out", ".", *arguments])
    except Exception as error:  # click's own, of several kinds
        message = " ".join(str(getattr(error, "message", error)).split())[:200]
        raise MetaglotError(f"{file}: not a command that `metaglot {command.name}` takes: {message}") from error
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    return {name: context.params[name] for name in given if name != "out" or context.params[name] != Path()}
