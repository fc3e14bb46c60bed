"""`metaglot data list | fetch | inspect`: lists data, fetches data, and describes a file."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metaglot.cli.shared.options import Encoding, Json, TaskOption
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.cli.shared.texts import check_task
from metaglot.cli.shared.usage import Command, group
from metaglot.errors import MetaglotError, printable

if TYPE_CHECKING:
    from rich.table import Table

    from metaglot.data.inspect import Summary, Words

app = group(
    "See, fetch and check text data.",
    end="Example: metaglot data inspect examples.csv",
)

SHOWN_CLASSES = 20  # classes in the table of `inspect`


@app.command("list", cls=Command)
def list_(*, as_json: Json = False) -> None:
    """List the built-in models and data, and the files in the folder $METAGLOT_DATA.

    Example: metaglot data list
    """
    from metaglot.data.builtin import BUILTINS, is_fetched
    from metaglot.data.shipped import SHIPPED

    builtin = [
        {"name": n, "kind": "model", "fetched": is_fetched(e.base), "licence": e.licence, "description": e.description}
        for n, e in SHIPPED.items()
    ] + [
        {"name": n, "kind": e.kind, "fetched": is_fetched(n), "licence": e.licence, "description": e.description}
        for n, e in BUILTINS.items()
    ]
    files = _files()
    if as_json:
        _print_json({"builtin": builtin, "files": files})
        return
    rows = [[str(one["name"]), str(one["kind"]), "yes" if one["fetched"] else "no", str(one["licence"]),
             str(one["description"])] for one in builtin]  # fmt: skip
    _print(_table("Built in (metaglot data fetch NAME)", ["name", "kind", "fetched", "licence", "what"], rows))
    if files:
        listing = [[str(one["path"]), f"{one['rows']:,}" if one["rows"] else ""] for one in files]
        _print(_table("In $METAGLOT_DATA", ["path", "rows"], listing))


@app.command(cls=Command)
def fetch(
    name: Annotated[str, typer.Argument(help="A name from `metaglot data list`.")],
    *,
    source: Annotated[Path | None, typer.Option(help="A folder with the archive, in place of the network.")] = None,
    as_json: Json = False,
) -> None:
    """Fetch a built-in model or data set into the cache, once; print where it is.

    Example: metaglot data fetch 20newsgroups
    """
    from metaglot.data.builtin import fetch as fetch_builtin

    path = fetch_builtin(name, source=source, progress=lambda stage: tell(stage, err=True))
    if as_json:
        _print_json({"name": name, "path": str(path)})
    else:
        tell(path)


@app.command(cls=Command)
def inspect(
    path: Annotated[str, typer.Argument(help="A csv, tsv, json, jsonl, parquet or txt file, a folder, or hub:ID.")],
    *,
    against: Annotated[list[str] | None, typer.Option(help="Another set, to count texts that both have.")] = None,
    columns: Annotated[list[str] | None, typer.Option(help="Which column is which: text=body,label=topic")] = None,
    against_columns: Annotated[
        list[str] | None, typer.Option(help="The same for the sets of --against, if their columns have other names.")
    ] = None,
    task: TaskOption = None,
    model: Annotated[
        str | None, typer.Option(help="A model, e.g. builtin:mini: a note says if it was not made for such texts.")
    ] = None,
    encoding: Encoding = None,
    as_json: Json = False,
) -> None:
    """Show format, rows, labels, lengths, languages, duplicates, conflicting labels and overlap with other sets.

    Examples:

      metaglot data inspect tickets.csv --columns text=body,label=queue

      metaglot data inspect test.jsonl --against train.jsonl --json
    """
    from metaglot.data.columns import parse_columns
    from metaglot.data.inspect import inspect_table
    from metaglot.data.readers import read_table
    from metaglot.data.task_kind import cells_of, task_of

    check_task(task)
    mapping = parse_columns(columns or [])
    against_mapping = parse_columns(against_columns or []) or None
    cells = cells_of(task)
    look = cells if cells in ("answers", "candidates", "texts") else "look"  # which have columns of their own
    others = [(one, read_table(one, mapping=against_mapping, cells=look, asking=True)) for one in against or []]
    table = read_table(path, mapping=mapping, encoding=encoding, cells=cells)
    try:
        summary = inspect_table(table, against=others, task=task or task_of(table))
    except MetaglotError as error:
        raise MetaglotError(f"{path}: {error}") from error
    if model is not None:
        from metaglot.adaptation.load import load_encoder
        from metaglot.adaptation.scripts import language_note

        note = language_note(load_encoder(model), table["text"].to_pylist())
        summary = replace(summary, notes=(*summary.notes, *([note] if note else [])))
    if as_json:
        _print_json({"path": path, **summary.to_json()})
        return
    _print(_table(path, ["", ""], _facts(summary)))
    if summary.classes:
        counts = [[name, f"{count:,}"] for name, count in list(summary.classes.items())[:SHOWN_CLASSES]]
        more = len(summary.classes) - SHOWN_CLASSES
        _print(_table("Classes", ["label", "rows"], counts + ([[f"… {more} more", ""]] if more > 0 else [])))
    for grid in () if summary.facts is None else summary.facts.grids:
        if grid.rows:
            _print(_table(grid.title, list(grid.columns), [list(row) for row in grid.rows]))


def _facts(summary: "Summary") -> list[list[str]]:
    guess = " (scripts, guessed from the letters)" if summary.languages_guessed else ""
    conflict = "under several labels" if summary.facts is None else summary.facts.conflict
    facts = [
        ["format", printable(summary.form)],
        ["rows", f"{summary.rows:,}"],
        ["columns", ", ".join(summary.columns)],
        *_target_facts(summary),
        ["words a text", _lengths(summary.words)],
        *_second_facts(summary),
        ["languages", _count_text(summary.languages) + guess],
        ["domains", _count_text(summary.domains)],
        ["splits", _count_text(summary.splits)],
        ["empty texts", f"{summary.empty:,}"],
        ["repeated texts", f"{summary.duplicates:,} (case and punctuation apart)" + _rows_of(summary.repeats)],
        [f"texts {conflict}", f"{summary.conflicts:,}" + _rows_of(summary.clashes)],
    ]
    facts += [
        [f"also in {overlap.name}", f"{overlap.rows:,} ({100 * overlap.share:.1f} %)"] for overlap in summary.overlaps
    ]
    facts += [["note", printable(note)] for note in summary.notes]
    return [fact for fact in facts if fact[1]]


def _lengths(words: "Words") -> str:
    return f"median {words.median:g}, 95 % at most {words.p95:g}, longest {words.max:,}"


def _second_facts(summary: "Summary") -> list[list[str]]:
    """Return the facts about second texts, such as passages, where texts are pairs."""
    seconds = summary.second_texts
    if seconds is None:
        return []
    return [["second texts", f"{seconds.different:,} different"], ["words of each", _lengths(seconds.words)]]


def _target_facts(summary: "Summary") -> list[list[str]]:
    """Return the facts about labels, by the kind of task."""
    if summary.facts is not None:
        return [["task", summary.task], *map(list, summary.facts.lines)]
    counts = list(summary.classes.values())
    spread = f"{len(counts)} ({min(counts):,} to {max(counts):,} rows each)" if counts else "no labels"
    return [["classes", spread], ["without a label", f"{summary.unlabelled:,}"]]


def _rows_of(pairs: Sequence[tuple[int, int]]) -> str:
    """Return the first few pairs of rows as text; "" if there are none."""
    return ": " + ", ".join(f"row {row} as {first}" for row, first in pairs) if pairs else ""


def _count_text(counts: "dict[str, int] | object") -> str:
    assert isinstance(counts, dict)
    shown = [f"{name} {count:,}" for name, count in list(counts.items())[:8]]
    return ", ".join(shown) + (f", … {len(counts) - 8} more" if len(counts) > 8 else "")


def _files() -> list[dict[str, object]]:
    from metaglot.data.cache import data_dir
    from metaglot.data.readers import data_files

    folder = data_dir()
    if folder is None or not folder.is_dir():
        return []
    return [{"path": str(file.relative_to(folder)), "rows": _rows(file)} for file in data_files(folder)]


def _rows(path: Path) -> int | None:
    """Return the number of rows of a Parquet file, from its footer; None for a format that would have to be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix != ".parquet":
        return None
    try:
        return pq.read_metadata(path).num_rows
    except (OSError, pa.ArrowException):
        return None


def _table(title: str, columns: list[str], rows: list[list[str]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(printable(title)), title_justify="left", show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def _print(table: "Table") -> None:
    from rich.console import Console

    Console().print(table)


def _print_json(value: object) -> None:

    tell_json(value, indent=2)
