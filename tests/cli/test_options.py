"""An option that several commands have is declared once, in `metaglot.cli.shared.options`."""

import inspect
from collections.abc import Iterator
from typing import Any, get_args

import typer
from typer.models import OptionInfo

from metaglot.cli.app import app
from metaglot.cli.shared import options


def functions(commands: typer.Typer) -> Iterator[Any]:
    """The functions behind the commands, those of groups among them."""
    yield from (command.callback for command in commands.registered_commands)
    for group in commands.registered_groups:
        assert group.typer_instance is not None
        yield from functions(group.typer_instance)


def declared() -> Iterator[tuple[str, str, OptionInfo]]:
    """Each option of each command: the command, the option, its declaration."""
    for function in functions(app):
        for name, parameter in inspect.signature(function).parameters.items():
            for info in get_args(parameter.annotation)[1:]:
                if isinstance(info, OptionInfo):
                    yield function.__name__, name, info


def test_each_option_is_declared_once():
    first: dict[tuple[str, str], tuple[str, OptionInfo]] = {}
    again: list[str] = []
    for command, name, info in declared():
        before, known = first.setdefault((name, info.help or ""), (command, info))
        again += [f"--{name} of {command} repeats that of {before}"] if known is not info else []
    assert len(first) > 50
    assert not again


def test_each_shared_option_has_several_commands():
    commands: dict[int, set[str]] = {}
    for command, _, info in declared():
        commands.setdefault(id(info), set()).add(command)
    shared = {name: get_args(alias)[1] for name, alias in vars(options).items() if get_args(alias)}
    assert {name for name, info in shared.items() if len(commands.get(id(info), ())) < 2} == set()
