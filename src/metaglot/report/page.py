"""The page of a report: its data becomes sections, which become HTML or Markdown.

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
    facts: Mapping[str, Mapping[str, str]]  # heading -> facts, with keys like `a.b.c`


def report_of(report_data: ReportData) -> Report:
    """Return the report on the data, without empty sections."""
    headline_text, parts = sections(report_data)
    return Report(
        report_data.title, headline_text, parts, {name: flatten(values) for name, values in report_data.facts.items()}
    )


def write_report(path: str | Path, report_data: ReportData) -> Path:
    """Write the report as one self-contained HTML page, and return its path.

    Raises MetaglotError when the file cannot be written.
    """
    write_whole(Path(path), html(report_of(report_data)))
    return Path(path)


def html(report: Report) -> str:
    """Return the page.  It needs no script and no network, and every text in it is escaped."""
    loader = PackageLoader("metaglot.report")
    jinja = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    jinja.filters["picture"] = Markup  # a chart escapes its texts itself
    return jinja.get_template("report.html.j2").render(report=report)


def markdown_report(report: Report) -> str:
    """Return the report as Markdown, with the tables and without the charts."""
    parts = [f"# {_line(report.title)}", _line(report.headline)]
    for section in report.sections:
        tables = [markdown_grid(grid).rstrip() for grid in (*section.grids, *section.details)]
        parts += [f"## {section.title}", *([section.note] if section.note else []), *tables] if tables else []
    for name, facts in report.facts.items():
        parts += [f"## {_line(name)}", "\n".join(f"- `{_line(key)}`: {_line(value)}" for key, value in facts.items())]
    return "\n\n".join(parts) + "\n"


def flatten(values: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Return nested mappings as one, `a.b.c` → text; lists of mappings are numbered, empty values are left out."""
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
            flat |= flatten({str(number): one for number, one in enumerate(value)}, f"{prefix}{name}.")
        elif value not in ("", [], None):
            flat[prefix + str(name)] = (
                value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
            )
    return flat


def _line(text: str) -> str:
    return " ".join(text.split())
