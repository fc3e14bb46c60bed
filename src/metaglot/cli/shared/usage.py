"""How the command line looks: pages of `--help` in plain text, and usage errors that are safe to print.

Plain text, because the library for panels and colours takes longer to import than all else that `--help` needs.
"""

import re
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from metaglot.cli.shared.printing import tell_end
from metaglot.errors import printable_line

# ClickException of click, or of the copy of click inside newer versions of typer.
USAGE = cast("type[Exception]", typer.BadParameter.__mro__[2])
WIDTH = 110  # columns of a page at most: the examples fit


class SafeGroup(TyperGroup):
    """A group of commands; its usage errors are one line, with control characters and marks of direction as escapes."""

    def make_context(self, *arguments: Any, **settings: Any) -> Any:
        """Return the context, as a group does."""
        try:
            return super().make_context(*arguments, **settings)
        except USAGE as error:
            raise _safe(error) from None

    def invoke(self, ctx: Any) -> Any:
        """Run the command, as a group does; an interrupt is said, which the library would not."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            tell_end("metaglot: interrupted")
            raise typer.Exit(130) from None
        except USAGE as error:
            raise _safe(error) from None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each command with the whole first sentence of its help."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_parts(one.help)[0][0]) for name, one in commands if one and not one.hidden])


class Command(TyperCommand):
    """A command; in its help every example is a line of its own that can be copied."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write the help: paragraphs are filled, and examples are not broken."""
        del ctx
        text, examples = help_parts(self.help)
        with formatter.indentation():
            for paragraph in text:
                formatter.write_paragraph()
                formatter.write_text(paragraph)
            formatter.write_paragraph()
            for line in ["Examples:" if len(examples) > 1 else "Example:", *(f"  {one}" for one in examples)]:
                formatter.write(f"{' ' * formatter.current_indent}{line}\n")


def group(words: str, *, end: str, cls: type[SafeGroup] = SafeGroup) -> typer.Typer:
    """Return a group of commands without any; its help says what they are for, and ends with an example."""
    return typer.Typer(cls=cls, help=words, epilog=end, no_args_is_help=True, rich_markup_mode=None)


def help_parts(text: str | None) -> tuple[list[str], list[str]]:
    """Return the paragraphs of a help text, and the commands that are its examples."""
    before, _, after = re.sub(r"\bExamples?:", "\0", (text or "").replace("\f", ""), count=1).partition("\0")
    return _paragraphs(before), _paragraphs(after)


def _paragraphs(text: str) -> list[str]:
    return [" ".join(one.split()) for one in text.split("\n\n") if one.strip()]


def _safe(error: Any) -> Exception:
    page = error.ctx.get_help() if getattr(error, "ctx", None) else ""
    if error.message != page:  # no arguments at all: the error is the page of help
        error.message = printable_line(error.message)
    return error
