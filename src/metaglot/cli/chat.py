"""`metaglot chat`: talk to an adapted decoder in the terminal."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metaglot.choices import FAMILIES
from metaglot.cli.shared.options import AdaptedPrecision, DeviceOption
from metaglot.cli.shared.printing import tell
from metaglot.cli.shared.texts import check_device, load_adapted, parse_precision, task_of_folder
from metaglot.data.examples import Inputs
from metaglot.errors import MetaglotError, printable

if TYPE_CHECKING:
    from metaglot.adaptation.fit import Fit

QUIT, NEW = "/quit", "/new"
HALF = "\ufffd"  # stands for a letter whose bytes are not all written yet


def chat(
    folder: Annotated[Path, typer.Argument(help="A folder that metaglot adapt --task generation made.")],
    *,
    turns: Annotated[
        int,
        typer.Option(help="How many earlier lines and replies stand before each line, as in files of chats.", min=0),
    ] = 0,
    max_new_tokens: Annotated[
        int | None,
        typer.Option(help="Tokens of a reply at most (as many as the examples can have, if absent).", min=1),
    ] = None,
    precision: AdaptedPrecision = "auto",
    device: DeviceOption = "auto",
) -> None:
    """Talk to an adapted decoder: each line gets a reply, which is printed while it is written.

    /quit or the end of the input ends it, /new forgets earlier turns, and Ctrl-C breaks a reply off.

    Examples:

      metaglot chat replies --turns 3

      echo "good evening" | metaglot chat translator
    """
    from metaglot.data.folders import check_adapted

    check_adapted(folder)
    task = task_of_folder(folder)
    if not (task in FAMILIES and FAMILIES.kinds[task].writes):
        raise MetaglotError(f"{folder} is a task of {task}, which writes no texts; use metaglot predict")
    fit = load_adapted(folder, parse_precision(precision), check_device(device)).fit
    said: list[tuple[str, str]] = []  # line and reply of each turn
    if sys.stdin.isatty():
        tell(f"{QUIT} ends the chat, {NEW} forgets earlier turns, Ctrl-C breaks a reply off", err=True)
    for line in _lines():
        if line == NEW:
            said.clear()
        elif reply := _reply(fit, _source(said[-turns:] if turns else [], line), max_new_tokens):
            said.append((line, reply))


def _lines() -> Iterator[str]:
    """Yield the lines that have a text, to /quit or the end of the input; Ctrl-C ends it too."""
    while True:
        try:
            if sys.stdin.isatty():
                typer.echo("> ", nl=False, err=True)
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            typer.echo("", err=True)
            return
        if not line or line.strip() == QUIT:
            return
        if line.strip():
            yield line.strip()


def _source(said: list[tuple[str, str]], line: str) -> str:
    """Return a line below earlier turns, in the form of files of chats."""
    turns = [text for one, reply in said for text in (f"user: {one}", f"assistant: {reply}")]
    return "\n".join([*turns, f"user: {line}"]) if turns else line


def _reply(fit: "Fit", source: str, max_new_tokens: int | None) -> str:
    """Print the reply while it is written, and return it; "" where Ctrl-C broke it off."""
    shown = 0

    def heard(text: str) -> None:
        nonlocal shown
        whole = text.rstrip(HALF)
        typer.echo(printable(whole[shown:]), nl=False)
        shown = max(shown, len(whole))

    try:
        reply = str(fit.predict(Inputs((source,)), max_new_tokens=max_new_tokens, heard=heard).targets[0])
    except KeyboardInterrupt:
        typer.echo(" …")
        return ""
    typer.echo(printable(reply[shown:]))
    return reply
