"""Docstrings are plain text: `code` in backticks, formulas in indented blocks, lists with dashes.

This makes reStructuredText of them, in which stars, bars and underscores mean something else.  Sections in the form of
numpydoc (a title over dashes: Parameters, Returns, Raises, Examples) become lists of fields.
"""

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sphinx.ext.napoleon import Config, NumpyDocstring

CODE = re.compile(r"(`[^`]+`)")
URL = re.compile(r"(https?://[^\s)]+[^\s).,;])")
ITEM = re.compile(r"(- |\d+\. )")
SECTION = re.compile(r"[A-Z][\w ]+\n-{3,}(\n|$)")
EXAMPLES = "Examples"
FIELDS = Config(
    napoleon_use_param=False, napoleon_use_rtype=False, napoleon_custom_sections=[("Attributes", "params_style")]
)  # types are plain words: as cross-references, "shape" would be one


def to_rst(lines: Sequence[str]) -> list[str]:
    """Return the lines of a docstring as reStructuredText."""
    out: list[str] = []
    for empty, group in groupby(lines, key=lambda line: not line.strip()):
        if not empty:
            out += [*_paragraph(list(group)), ""]
    return out


def from_numpydoc(lines: Sequence[str]) -> list[str]:
    """Return the sections of a docstring, titles over dashes, as lists of fields; examples stay as they are."""
    out: list[str] = []
    title = ""
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        title = line if SECTION.match(f"{line}\n{following}") else title
        described = title != EXAMPLES and line.startswith(" ")  # an entry's own line is napoleon's
        out.append(line[: len(line) - len(line.lstrip())] + _text(line.strip()) if described else line)
    return NumpyDocstring(out, FIELDS).lines()


def _paragraph(lines: list[str]) -> list[str]:
    """Return one paragraph: a literal block if it is indented, else text in which a dash begins a list."""
    if all(line.startswith("  ") for line in lines):
        return ["::", "", *(f"    {line.rstrip()}" for line in lines)]
    out: list[str] = []
    in_list = False
    for line in lines:
        item = ITEM.match(line)
        if item and not in_list and out:
            out.append("")
        if not item and in_list and not line.startswith(" "):
            out.append("")
        in_list = bool(item) or (in_list and line.startswith(" "))
        mark = item.group() if item else ""
        indent = "  " if in_list and not item else ""
        out.append(mark + indent + _text(line.removeprefix(mark).strip()))
    return out


def _text(line: str) -> str:
    parts = CODE.split(line)
    return "".join(f"`{part}`" if i % 2 else _escaped(part) for i, part in enumerate(parts))


def _escaped(text: str) -> str:
    parts = URL.split(text)
    return "".join(part if i % 2 else re.sub(r"([\\*|_`])", r"\\\1", part) for i, part in enumerate(parts))


def process(_app: Any, _what: str, _name: str, _obj: object, _options: object, lines: list[str]) -> None:
    """Change the lines in place, as autodoc wants it."""
    generated = bool(lines) and lines[0].startswith("Alias for field number")  # of a NamedTuple
    starts = (i for i in range(len(lines) - 1) if SECTION.match(f"{lines[i]}\n{lines[i + 1]}"))
    body = next(starts, len(lines))
    sections = from_numpydoc(lines[body:]) if body < len(lines) else []
    lines[:] = [] if generated else [*to_rst(lines[:body]), *sections]


def setup(app: Any) -> dict[str, bool]:
    """Hear of every docstring."""
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
