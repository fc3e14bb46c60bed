"""The command line: each command builds, calls and prints; heavy imports are inside the commands."""

import os
import signal
import sys
import warnings
from types import FrameType
from typing import Annotated

import typer

from metaglot.cli.adapt import adapt
from metaglot.cli.algorithms import algorithms, check_gradient
from metaglot.cli.average import average
from metaglot.cli.bench import bench
from metaglot.cli.chat import chat
from metaglot.cli.compare import compare
from metaglot.cli.data import app as data
from metaglot.cli.demo import demo
from metaglot.cli.edit import edit
from metaglot.cli.evaluate import evaluate
from metaglot.cli.localise import localise
from metaglot.cli.playground import playground
from metaglot.cli.predict import predict
from metaglot.cli.pretrain import pretrain
from metaglot.cli.report import report
from metaglot.cli.reproduce import reproduce
from metaglot.cli.runs import app as runs
from metaglot.cli.serve import app as serve
from metaglot.cli.shared.printing import TERMINATED, error_text, speaks, tell_end, warning_text
from metaglot.cli.shared.usage import WIDTH, Command, SafeGroup
from metaglot.cli.shrink import shrink
from metaglot.errors import MetaglotError
from metaglot.version import __version__

app = typer.Typer(
    name="metaglot",
    cls=SafeGroup,
    help="Meta-pretrain language models so that they learn a new text task from a handful of examples.",
    epilog="Begin with: metaglot demo   ·   Your own data: metaglot adapt builtin:mini examples.csv --out my-model",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH},
)
COMMANDS = (
    demo,
    pretrain,
    adapt,
    predict,
    chat,
    playground,
    localise,
    edit,
    evaluate,
    compare,
    bench,
    reproduce,
    average,
    shrink,
    report,
)
for command in COMMANDS:
    app.command(command.__name__, cls=Command)(command)
app.command("algorithms", cls=Command)(algorithms)
app.command("check-gradient", cls=Command)(check_gradient)
app.add_typer(data, name="data")
app.add_typer(runs, name="runs")
app.add_typer(serve, name="serve")


def _version(value: bool) -> None:
    if value:
        typer.echo(f"metaglot {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


def main(*, began: float | None = None) -> None:
    """Run the command line; an error that the user can mend is one line, with exit code 2.

    `began` is the CPU time of this process from which on a command counts what it spends; that of its call if None.
    """
    # Idle threads that spin cost CPU time, and slow other programs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    warnings.formatwarning = warning_text
    own = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not, say, ignored by a background job
    if own:
        signal.signal(signal.SIGINT, _interrupt)
    before = signal.getsignal(signal.SIGTERM)
    if before is signal.SIG_DFL:  # as batch systems end a job: what is half-written goes, and what is saved is told of
        signal.signal(signal.SIGTERM, _terminate)
    try:
        try:
            app(obj=began)
        finally:  # the outcome is final: an interrupt from now on, until the interpreter ends, changes nothing
            signal.signal(signal.SIGTERM, before)
            if own:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
    except MetaglotError as error:
        typer.echo(f"metaglot: {error_text(error)}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        if speaks():
            typer.echo("metaglot: interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        typer.echo(f"metaglot: {error_text(error)}", err=True)
        sys.exit(2)


def _interrupt(_: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; end at once within an import, where C++ extensions would abort on an exception."""
    _end_within_import(frame, "metaglot: interrupted", 130)
    raise KeyboardInterrupt


def _terminate(_: int, frame: FrameType | None) -> None:
    """Exit as a shell says that SIGTERM ended a command, once what is half-written is removed."""
    _end_within_import(frame, TERMINATED, 143)
    tell_end(TERMINATED)
    sys.exit(143)


def _end_within_import(frame: FrameType | None, words: str, code: int) -> None:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            tell_end(words)
            os._exit(code)
        frame = frame.f_back
