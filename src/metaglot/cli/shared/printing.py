"""Printing for commands: every text is safe on a terminal, whatever labels, paths and files hold."""

import os
import warnings
from collections.abc import Generator
from contextlib import contextmanager

import typer

from metaglot.errors import is_own, own_warnings, printable, printable_json

LAUNCHER = "METAGLOT_LAUNCHER"  # of a rank: the process that started it, and speaks where a signal ends all
TERMINATED = "metaglot: ended by SIGTERM; what was saved is whole"


def tell(text: object, *, err: bool = False) -> None:
    """Print a text; control characters and marks of direction are written as escapes."""
    typer.echo(printable(str(text)), err=err)


def tell_json(value: object, *, indent: int | None = None) -> None:
    """Print a value as JSON; such characters are escapes of JSON."""
    typer.echo(printable_json(value, indent=indent))


def warning_text(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Return a warning of metaglot as a note, without the line of its code; any other one as Python prints it."""
    if is_own(category, filename):
        return f"note: {printable(str(message))}\n"
    return f"{filename}:{lineno}: {category.__name__}: {message}\n{'' if line is None else f'  {line}'}"


@contextmanager
def noted(notes: list[str], *, quiet: bool) -> Generator[None]:
    """Tell what metaglot warns of within as notes, each once, unless `quiet`, and add them to `notes`."""
    with own_warnings() as texts:
        yield
    notes += texts
    for text in () if quiet else texts:
        tell(f"note: {text}", err=True)


@contextmanager
def without_notes() -> Generator[None]:
    """Tell nothing of what metaglot warns of within, but what `noted` collects."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module=r"metaglot(\.|$)")
        yield


def tell_end(words: str) -> None:
    """Say that a signal ended the command, if that is for this process to say.

    It is written at once, past the buffers of Python, which the signal may have caught half-way.
    """
    if speaks():
        os.write(2, f"{words}\n".encode())


def speaks() -> bool:
    """Return whether no other process started this one as a rank."""
    return os.environ.get(LAUNCHER, own := str(os.getpid())) == own


def error_text(error: Exception) -> str:
    """Return the words of an error that the user can mend; of one of the system, also the way out."""
    if not isinstance(error, OSError):
        return printable(str(error))
    where = f"{error.filename}: " if error.filename else ""  # a full disk, a folder that vanished
    reason = printable(f"{where}{error.strerror or error}")
    return f"{reason}. Files saved before are whole; free some space or mend the path"
