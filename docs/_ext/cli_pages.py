"""The command line reference: a page written from the commands themselves before Sphinx reads the pages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from metaglot.cli.shared.usage import help_parts

HEAD = """# Command line

Every command has `--help`. Exit codes: 0 done or goal met, 2 bad input (one line says what and the way out), 3 the
budget ended before the goal, 130 interrupted.
"""


def cli_page(app: typer.Typer) -> str:
    """Return the reference of every command of the app as Markdown."""
    root = typer.main.get_command(app)
    return HEAD + "".join(section for path, command in _leaves(root, ()) for section in _command(path, command))


def _leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, sub in inner.items():
        if not sub.hidden:
            yield from _leaves(sub, (*path, name))


def _command(path: tuple[str, ...], command: Any) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden and p.name != "help"]
    usage = [_word(p) if p.required else f"[{_word(p)}]" for p in arguments]
    usage += [f"{p.opts[0]} {_value(p)}".strip() for p in options if p.required]
    yield f"\n## metaglot {' '.join(path)}\n\n```text\nmetaglot {' '.join([*path, *usage])} [OPTIONS]\n```\n\n"
    text, examples = help_parts(command.help)
    yield _escaped("\n\n".join(text)) + "\n\n"
    yield "| | |\n|---|---|\n"
    for p in (*arguments, *options):
        name = _word(p) if p.param_type_name == "argument" else ", ".join([*p.opts, *p.secondary_opts])
        shown = f"{name} {_value(p)}".strip()
        yield f"| `{shown}` | {_cell(p)} |\n"
    yield "\n" + "".join(["```text\n", *(f"{line}\n" for line in examples), "```\n"] if examples else [])


def _word(argument: Any) -> str:
    return argument.metavar or argument.name.upper()


def _value(param: Any) -> str:
    plain = param.param_type_name == "argument" or getattr(param, "is_flag", False)
    return "" if plain else (param.metavar or "VALUE")


def _cell(param: Any) -> str:
    default = param.default
    hidden = default is None or default == "" or isinstance(default, bool) or callable(default)
    told = "" if hidden or param.required else f" Default: `{default}`."
    return _escaped((param.help or "").rstrip()) + (" Required." if param.required else "") + told


def _escaped(text: str) -> str:
    """Return text in which angle brackets are no tags and bars no columns."""
    return text.replace("<", "&lt;").replace("|", "\\|")


def write(app: Any) -> None:
    """Write reference/cli.md, unless it says the same already."""
    from metaglot.cli.app import app as commands

    file = Path(app.srcdir) / "reference" / "cli.md"
    page = cli_page(commands)
    if not file.is_file() or file.read_text("utf-8") != page:
        file.write_text(page, "utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Write the page before the list of pages is made."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
