"""Usage errors (an unknown option or command, a wrong value), which say what was typed: safe on a terminal."""

from typing import Any, cast

import typer
from typer.core import TyperGroup

from metaglot.errors import printable_line

# Click's ClickException, or that of the copy of click that stands within newer versions of typer.
USAGE = cast("type[Exception]", typer.BadParameter.__mro__[2])


class SafeGroup(TyperGroup):
    """A group of commands whose usage errors write control characters and marks of direction out, on one line."""

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
