"""One page that says what came out: the numbers of its data as sections, then as HTML, Markdown or JSON.

report_data ─► report (headline, sections of charts and tables) ─► html | markdown;    report_data ─► numbers (JSON)
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from metaglot.data.cache import write_whole
from metaglot.report.report_data import ReportData
from metaglot.report.sections import Section, sections
from metaglot.report.table import markdown_grid


class Report(NamedTuple):
    """A report before it is a page."""

    title: str
    headline: str
    sections: Sequence[Section]
    about: Mapping[str, Mapping[str, str]]  # heading -> facts, flattened


def report_of(report_data: ReportData) -> Report:
    """Return the report on the data; sections without anything to show are left out."""
    said, parts = sections(report_data)
    return Report(report_data.title, said, parts, {name: flattened(facts) for name, facts in report_data.about.items()})


def write_report(path: str | Path, report_data: ReportData) -> Path:
    """Write the report as one self-contained HTML page, and return its path.

    Raises MetaglotError when the file cannot be written.
    """
    write_whole(Path(path), html(report_of(report_data)))
    return Path(path)


def html(report: Report) -> str:
    """Return the page: it needs no script and no network, and everything in it is escaped."""
    loader = PackageLoader("metaglot.report")
    jinja = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    jinja.filters["picture"] = Markup  # the drawing escapes every text
    return jinja.get_template("report.html.j2").render(report=report)


def markdown_report(report: Report) -> str:
    """Return the same as Markdown: the tables, without the charts."""
    parts = [f"# {_line(report.title)}", _line(report.headline)]
    for section in report.sections:
        tables = [markdown_grid(grid).rstrip() for grid in (*section.grids, *section.folded)]
        parts += [f"## {section.title}", *([section.note] if section.note else []), *tables] if tables else []
    for name, facts in report.about.items():
        parts += [f"## {_line(name)}", "\n".join(f"- `{_line(key)}`: {_line(value)}" for key, value in facts.items())]
    return "\n\n".join(parts) + "\n"


def flattened(values: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Return nested mappings as one, `a.b.c` → text; lists of mappings are numbered, and empty values left out."""
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{prefix}{name}.")
        elif isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
            flat |= flattened({str(number): one for number, one in enumerate(value)}, f"{prefix}{name}.")
        elif value not in ("", [], None):
            flat[prefix + str(name)] = (
                value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
            )
    return flat


def _line(text: str) -> str:
    return " ".join(text.split())
