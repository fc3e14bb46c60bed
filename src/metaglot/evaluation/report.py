"""One page that says what came out: `report.html`, self-contained, light and dark."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from metaglot.errors import MetaglotError
from metaglot.evaluation.charts import curve_chart, method_chart
from metaglot.evaluation.grids import grids
from metaglot.evaluation.store import Result


def write_report(
    path: str | Path,
    *,
    title: str,
    summary: str,
    results: Sequence[Result],
    curve: Sequence[Mapping[str, object]] = (),
    config: Mapping[str, object],
    environment: Mapping[str, object],
    leave_out: Collection[str] = (),
) -> Path:
    """Write the page and return its path.

    `curve` holds records with `step` and `accuracy` or `loss`; `config` and `environment` are shown flattened.
    Raises MetaglotError when the file cannot be written.
    """
    page = report_html(
        title=title,
        summary=summary,
        results=results,
        curve=curve,
        about={"Configuration": config, "Environment": environment},
        leave_out=leave_out,
    )
    path = Path(path)
    draft = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(page, "utf-8")
        draft.replace(path)
    except OSError as error:
        raise MetaglotError(f"{path}: cannot be written ({error.strerror}). Choose another place.") from error
    return path


def report_html(
    *,
    title: str,
    summary: str,
    results: Sequence[Result],
    curve: Sequence[Mapping[str, object]] = (),
    about: Mapping[str, Mapping[str, object]],
    leave_out: Collection[str] = (),
) -> str:
    """Return the page as text; everything given is escaped."""
    charts = [method_chart(results), curve_chart(curve, "accuracy"), curve_chart(curve, "loss")]
    loader = PackageLoader("metaglot.evaluation")
    jinja = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return jinja.get_template("report.html.j2").render(
        title=title,
        summary=summary,
        charts=[Markup(chart) for chart in charts if chart],  # svg.py escapes every text
        grids=grids(results, leave_out=leave_out) if results else [],
        about={name: flattened(values) for name, values in about.items()},
    )


def flattened(values: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Return nested mappings as one, `a.b.c` → text."""
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = (
                value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
            )
    return flat
