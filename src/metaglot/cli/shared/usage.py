"""Usage errors (an unknown option or command, a wrong value) repeat what the user typed; here it is safe to print."""

from typing import Any, cast

import typer
from typer.core import TyperGroup

from metaglot.errors import printable_line

# ClickException of click, or of the copy of click inside newer versions of typer.
USAGE = cast("type[Exception]", typer.BadParameter.__mro__[2])


class SafeGroup(TyperGroup):
    """A group of commands; its usage errors are one line, with control characters and marks of direction as escapes."""

    def make_context(self, *arguments: Any, **settings: Any) -> Any:
        """Return the context, as a group does."""
        try:
            return super().make_context(*arguments, **settings)
        except USAGE as error:
            raise _safe(error) from None

    def invoke(self, ctx: Any) -> Any:
        """Run the command, as a group does."""
        try:
            return super().invoke(ctx)
        except USAGE as error:
            raise _safe(error) from None


def _safe(error: Any) -> Exception:
    error.message = printable_line(error.message)
    return error
