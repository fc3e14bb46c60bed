"""`metaglot chat`: talk to an adapted decoder in the terminal."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from metaglot.choices import FAMILIES
from metaglot.cli.shared.decoding import with_decoding
from metaglot.cli.shared.options import (
    AdaptedPrecision,
    DeviceOption,
    Json,
)
from metaglot.cli.shared.predicting import Writing
from metaglot.cli.shared.prediction_lines import writing_record
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.cli.shared.texts import check_device, load_adapted, parse_precision, task_of_folder
from metaglot.data.examples import Inputs
from metaglot.errors import MetaglotError, printable

if TYPE_CHECKING:
    from metaglot.adaptation.continuing import Texts
    from metaglot.adaptation.fit import Fit
    from metaglot.decoding import Decoding

QUIT, NEW = "/quit", "/new"
HALF = "\ufffd"  # stands for a letter whose bytes are not all written yet


@with_decoding
def chat(
    folder: Annotated[Path, typer.Argument(help="A folder that metaglot adapt --task generation made.")],
    *,
    turns: Annotated[
        int,
        typer.Option(help="How many earlier lines and replies stand before each line, as in files of chats.", min=0),
    ] = 0,
    decoding: "Decoding | None",
    precision: AdaptedPrecision = "auto",
    device: DeviceOption = "auto",
    as_json: Json = False,
) -> None:
    """Talk to an adapted decoder: each line gets a reply, which is printed while it is written.

    /quit or the end of the input ends it, /new forgets earlier turns, and Ctrl-C breaks a reply off. Of earlier turns
    that have no room beside a line, the first are left out.

    Examples:

      metaglot chat replies --turns 3

      metaglot chat replies --sample --temperature 0.7 --top-p 0.9 --seed 1

      echo "good evening" | metaglot chat translator
    """
    from metaglot.data.folders import check_adapted

    check_adapted(folder)
    task = task_of_folder(folder)
    if not (task in FAMILIES and FAMILIES.kinds[task].writes):
        raise MetaglotError(f"{folder} is a task of {task}, which writes no texts; use metaglot predict")
    fit = load_adapted(folder, parse_precision(precision), check_device(device)).fit
    talk = _Talk(fit, decoding, as_json=as_json)
    said: list[tuple[str, str]] = []  # line and reply of each turn
    if sys.stdin.isatty():
        tell(f"{QUIT} ends the chat, {NEW} forgets earlier turns, Ctrl-C breaks a reply off", err=True)
    for number, line in enumerate(_lines()):
        if line == NEW:
            said.clear()
        elif reply := talk.reply(said[-turns:] if turns else [], line, number):
            said.append((line, reply))


def _lines() -> Iterator[str]:
    """Yield the lines that have a text, to /quit or the end of the input; Ctrl-C ends it too."""
    from metaglot.data.candidates import check_characters

    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")
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
        if not line.strip():
            continue
        try:
            check_characters(line, "the line")
        except MetaglotError:
            tell("note: a line that is not UTF-8 is left out", err=True)
            continue
        yield line.strip()


def _source(said: list[tuple[str, str]], line: str) -> str:
    """Return a line below earlier turns, in the form of files of chats."""
    turns = [text for one, reply in said for text in (f"user: {one}", f"assistant: {reply}")]
    return "\n".join([*turns, f"user: {line}"]) if turns else line


class _Talk(NamedTuple):
    """What replies, and how."""

    fit: "Fit"
    decoding: "Decoding | None"
    as_json: bool

    def reply(self, said: list[tuple[str, str]], line: str, number: int) -> str:
        """Print the reply to a line below earlier turns, and return it; "" where Ctrl-C broke it off."""
        source, decoding = self._fitting(said, line), self.decoding
        if decoding is not None and decoding.seed is not None:
            from metaglot.seeds import fold

            # The same line gets another draw each time.
            decoding = replace(decoding, seed=fold(decoding.seed, "line", number))
        shown = 0

        def heard(text: str) -> None:
            nonlocal shown
            whole = text.rstrip(HALF)
            typer.echo(printable(whole[shown:]), nl=False)
            shown = max(shown, len(whole))

        try:
            hears = None if self.as_json else heard
            found = self.fit.write(Inputs((source,)), decoding=decoding, heard=hears)
        except KeyboardInterrupt:
            typer.echo("" if self.as_json else " …")
            return ""
        reply = found.texts[0]
        if self.as_json:
            tell_json({"text": line, "label": reply, **writing_record(_facts(found))})
        else:
            typer.echo(printable(reply[shown:]))
        return reply

    def _fitting(self, said: list[tuple[str, str]], line: str) -> str:
        """Return the line below as many earlier turns as are read whole; a note where the line alone is too long."""
        for begin in range(len(said) + 1):
            source = _source(said[begin:], line)
            if not self.fit.cut(Inputs((source,)), self.decoding):
                return source
        tell(
            f"note: the line has more than {self.fit.read_length(self.decoding)} tokens; its end is not read", err=True
        )
        return line


def _facts(found: "Texts") -> Writing | None:
    if found.likelihoods is None or found.tokens is None:
        return None
    return Writing(found.likelihoods[0], found.tokens[0], found.tokens[0] / max(found.seconds, 1e-9))
