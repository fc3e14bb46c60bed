"""What docs/_ext makes: docstrings as reStructuredText, the command line page, the page of recipe keys."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import typer

from metaglot.cli.app import app
from metaglot.config import Recipe, parse_recipe

EXTENSIONS = Path(__file__).parent.parent.parent / "docs" / "_ext"


def extension(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXTENSIONS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        (["Return the `head.*` of *all* |x| and θ_t."], ["Return the ``head.*`` of \\*all\\* \\|x\\| and θ\\_t.", ""]),
        (["One.", "", "    a = b * c_d", "", "Two."], ["One.", "", "::", "", "        a = b * c_d", "", "Two.", ""]),
        (["- `a`: one", "  more", "- two"], ["- ``a``: one", "  more", "- two", ""]),
        (["It has:", "- one", "and on"], ["It has:", "", "- one", "", "and on", ""]),
        (["See https://a.org/b_c_d."], ["See https://a.org/b_c_d.", ""]),
    ],
    ids=["marks", "formula", "list", "list-in-text", "url"],
)
def test_docstrings_become_restructured_text(docstring: list[str], expected: list[str]) -> None:
    lines = list(docstring)
    extension("plain_docstrings").process(None, "function", "f", None, None, lines)
    assert lines == expected


def test_sections_become_fields_and_examples_stay() -> None:
    lines = ["Return *it*.", "", "Parameters", "----------", "classes_ : list of str", "    The `x` of a_b.", ""]
    lines += ["Returns", "-------", "int", "    A number.", "", "Examples", "--------", ">>> f_(2 * 3)", "6", ""]
    extension("plain_docstrings").process(None, "function", "f", None, None, lines)
    text = "\n".join(lines)
    assert text.startswith("Return \\*it\\*.\n")
    assert ":Parameters: **classes_** (*list of str*) -- The ``x`` of a\\_b." in text
    assert ":returns: *int* -- A number." in text
    assert ".. rubric:: Examples\n\n>>> f_(2 * 3)\n6" in text


def test_what_a_named_tuple_says_of_its_fields_is_dropped() -> None:
    lines = ["Alias for field number 0"]
    extension("plain_docstrings").process(None, "attribute", "f", None, None, lines)
    assert lines == []


def test_the_command_line_page_names_every_command_and_option() -> None:
    page = extension("cli_pages").cli_page(app)
    checked = 0
    for path, command in leaves(typer.main.get_command(app)):
        section = page.partition(f"\n## metaglot {' '.join(path)}\n")[2].partition("\n## ")[0]
        assert section, path
        for param in command.params:
            if param.name != "help":
                name = param.opts[0] if param.param_type_name == "option" else (param.metavar or param.name.upper())
                assert re.search(rf"^\| `{re.escape(name)}[ `,]", section, flags=re.M), (path, name)
                checked += 1
    assert checked >= 40
    assert "Examples:" not in page
    assert "runs/&lt;name of the recipe>" in page  # not a tag of HTML, which would vanish


def leaves(command, path: tuple[str, ...] = ()):
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, sub in command.commands.items():
        yield from leaves(sub, (*path, name))


def test_the_recipe_page_has_every_key_with_its_default() -> None:
    page = extension("recipe_page").recipe_page(Recipe)
    told = dict(re.findall(r"^\| `([a-z_.]+)` \| .+? \| (.*?) \| .*\|$", page.replace("\\|", "∣"), flags=re.M))
    plain = parse_recipe({"data": {"train": ["x"]}}).model_dump(mode="json")
    checked = 0
    for group, values in plain.items():
        for key, value in values.items() if isinstance(values, dict) else ():
            default = told[f"{group}.{key}"].strip("`")
            if isinstance(value, bool):
                assert default.lower() == str(value).lower(), key
            elif isinstance(value, int | float):
                assert float(default) == value, key
                checked += 1
    assert checked >= 15
    assert {"data.train.path", "goal.at_least", "budget.cpu_minutes"} <= set(told)
    assert (told["data.train.path"], told["goal.at_least"]) == ("required", "`None`")
