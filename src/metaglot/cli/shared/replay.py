"""What `metaglot reproduce` gives again of a record that may come from anybody: a command of ours, checked first."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
import typer.main

from metaglot.cli.shared.record import SILENT, Asked
from metaglot.errors import MetaglotError

MOST_THREADS = 1024
MOST_JOBS = 64  # processes, each of which holds the model
REFUSED = frozenset({*SILENT, "dry_run"})  # never in a record; each would make another folder, or nothing


def command_of(function: Callable[..., Any]) -> Any:
    """Return click's command of a function of this command line."""
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command(function.__name__)(function)
    return typer.main.get_command(alone)


def checked_arguments(asked: Asked, function: Callable[..., Any], file: Path) -> list[str]:
    """Return the arguments of a recorded command, once it is sure what they ask for.

    They are those of the command `function`, in the form that metaglot records: its name, options, `--`, arguments.
    Raises MetaglotError that names the file for another command or form, an option that there is not or that a record
    never holds, a value of the wrong type, and for more threads or processes than may be.
    """
    given, command = asked.arguments, function.__name__
    if given[0] != command:
        raise MetaglotError(
            f"{file}: it records `metaglot {given[0]}` in a folder of `metaglot {command}`; not given again"
        )
    if "--" not in given:
        raise MetaglotError(f"{file}: not a command as metaglot records it, which has `--` before its arguments")
    values = _parsed(function, given[1:], file)
    typed = {name for name in REFUSED if values.get(name)}
    if typed:
        option = f"--{min(typed).replace('_', '-')}"
        raise MetaglotError(f"{file}: it holds {option}, which metaglot never records; not given again")
    check_most(file, "threads", values.get("threads"), MOST_THREADS)
    check_most(file, "jobs", values.get("jobs"), MOST_JOBS)
    return given


def check_most(file: Path, what: str, count: Any, most: int) -> None:
    """Raise MetaglotError for a recorded number that is none, or not from 1 to `most`."""
    if count is None or count == "":
        return
    number = int(count) if str(count).isascii() and str(count).isdecimal() and len(str(count)) < 10 else 0
    if not 1 <= number <= most:
        raise MetaglotError(f"{file}: {str(count)[:40]} {what}, expected 1 to {most:,}; not given again")


def _parsed(function: Callable[..., Any], arguments: Sequence[str], file: Path) -> Mapping[str, Any]:
    """Return the values of a command's parameters without running it; `out` is the one that a record leaves out."""
    command = command_of(function)
    known = {option for param in command.params for option in param.opts}
    options = arguments[: list(arguments).index("--")]
    for word in options:
        if word in {"--help", "-h"} or (word.startswith("--") and word.partition("=")[0] not in known):
            raise MetaglotError(f"{file}: it holds {word[:60]}, which metaglot never records; not given again")
    try:
        context = command.make_context(command.name, ["--out", ".", *arguments])
    except Exception as error:  # click's own, of several kinds
        message = " ".join(str(getattr(error, "message", error)).split())[:200]
        raise MetaglotError(f"{file}: not a command that `metaglot {command.name}` takes: {message}") from error
    return {name: value for name, value in context.params.items() if name != "out" or value != Path()}
