"""A table of examples, as people edit it, and the examples that it holds.

The table is what a file of examples would be: it is written as one and read by the readers of files, so that every form
of examples that a file may have can be pasted, uploaded and edited, and the labels decide the kind of task.
"""

import csv
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from metaglot.choices import FAMILIES
from metaglot.data.examples import Examples, Inputs
from metaglot.data.form import answered
from metaglot.data.labels import table_notes, typed_labels
from metaglot.data.readers import read_table
from metaglot.data.target_facts import look_of
from metaglot.data.task_kind import cells_of, task_of
from metaglot.errors import MetaglotError
from metaglot.playground.forms import MARKED, header_of, row_of

ROWS, CHARACTERS = 500, 10_000  # examples at most, and of each its letters
BYTES = 5_000_000  # of a file
NAMES = frozenset({"text", "label", "question", "context", "source", "target", "tokens", "sentence"})
"""Words in a first line that name columns."""

SPANS = {kind.cells: name for name, kind in FAMILIES.kinds.items()}["spans"]
"""The kind of task that marks are of."""


class Table(NamedTuple):
    """A table of examples."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Labelled(NamedTuple):
    """Examples of a kind of task."""

    task: str  # a key of `choices.FAMILIES`
    examples: Examples[Any]
    notes: tuple[str, ...] = ()


def examples_of(table: Table, task: str | None = None) -> Labelled:
    """Return the examples of a table; where no task is named, the labels decide its kind.

    Raises MetaglotError for a table that is empty or too large, and for a row without a label.
    """
    rows = [row for row in table.rows if any(cell.strip() for cell in row)]
    if not rows:
        raise MetaglotError("there are no examples yet; click a ready-made set, or write some into the table")
    if table.headers == MARKED and any("](" in row[0] for row in rows):
        task = task or SPANS  # one mark is enough where there is no place for a label
    text = io.StringIO()
    csv.writer(text).writerows([table.headers, *rows])
    return _labelled(_read(text.getvalue(), ".csv", task), task)


def pasted(text: str, task: str | None = None) -> Table:
    """Return the table that a text holds: CSV, cells with tabs between, as a spreadsheet copies them, or JSON lines."""
    if not text.strip():
        raise MetaglotError("nothing was pasted; paste lines such as: My parcel is late, then a tab, then delivery")
    first = text.strip().splitlines()[0]
    if first.startswith("{"):
        ending = ".jsonl"
    elif first.startswith("[{") or first == "[":
        ending = ".json"
    else:
        ending = ".tsv" if "\t" in first else ".csv"
        text = with_header(text.strip("\r\n"), "\t" if ending == ".tsv" else ",")
        task = task or (SPANS if text.splitlines()[0].strip() == "text" and "](" in text else None)
    return _table(_read(text, ending, task), task)


def uploaded(path: str | Path, task: str | None = None) -> Table:
    """Return the table that a file holds."""
    path = Path(path)
    if path.stat().st_size > BYTES:
        raise MetaglotError(f"{path.name}: {path.stat().st_size:,} bytes; a file has {BYTES:,} here at most")
    return _table(_of_file(path, path.name, task), task)


def with_header(text: str, separator: str) -> str:
    """Return lines of a table with a first line of names, where they have none.

    Lines with marks are texts.  Where commas stand within texts too, the label is behind the last one.
    """
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=separator) if row]
    except csv.Error as error:
        raise MetaglotError(f"no table of lines: {error}; a text has {CHARACTERS:,} characters at most") from error
    if {cell.strip().lower() for cell in rows[0]} & NAMES:
        return text
    lines = [line for line in text.splitlines() if line.strip()]
    if any("](" in line for line in lines) or all(separator not in line for line in lines):
        rows = [[line] for line in lines]
    elif separator == "," and len({len(row) for row in rows}) > 1:
        rows = [[cell.strip() for cell in line.rsplit(",", 1)] for line in lines]
    header = {1: ["text"], 2: ["text", "label"]}.get(len(rows[0]), ["question", "context", "answers"])
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows([header, *rows])
    return out.getvalue()


def _read(text: str, ending: str, task: str | None) -> Any:
    """Return the canonical table of the text of a file."""
    if len(text.encode()) > BYTES:
        raise MetaglotError(f"these are {len(text.encode()):,} bytes; a table has {BYTES:,} here at most")
    with tempfile.TemporaryDirectory(prefix="metaglot-") as folder:
        path = Path(folder) / f"examples{ending}"
        path.write_text(text, encoding="utf-8", newline="")
        return _of_file(path, "examples", task)


def _of_file(path: Path, name: str, task: str | None) -> Any:
    try:
        table = read_table(path, cells=cells_of(task))
    except MetaglotError as error:  # the place of a file that was uploaded says nothing to people
        raise MetaglotError(str(error).replace(str(path), name)) from error
    if table.num_rows > ROWS:
        raise MetaglotError(f"{name}: {table.num_rows:,} rows; the playground takes {ROWS} at most, the command all")
    for column in ("text", "text_pair"):
        cells: list[str | None] = table[column].to_pylist() if column in table.column_names else []
        if long := [row for row, cell in enumerate(cells, 1) if len(cell or "") > CHARACTERS]:
            raise MetaglotError(f"{name}: row {long[0]} has more than {CHARACTERS:,} characters; cut it")
    return table


def _table(read: Any, task: str | None) -> Table:
    """Return a canonical table as people edit it."""
    cells = FAMILIES.kinds[task or task_of(read)].cells
    columns = [name for name in ("text", "text_pair", "label") if name in read.column_names]
    header = header_of(cells, columns)
    rows: list[dict[str, str | None]] = read.select(columns).to_pylist()
    return Table(header, tuple(row_of(header, row) for row in rows))


def _labelled(table: Any, task: str | None) -> Labelled:
    if "label" not in table.column_names:
        raise MetaglotError(
            "the examples have no labels; write one beside each text, or mark parts, as in [Ann](PERSON) lives here"
        )
    kind = task or task_of(table)
    table = answered(table)
    texts: list[str] = table["text"].to_pylist()
    pairs: list[str | None] | None = table["text_pair"].to_pylist() if "text_pair" in table.column_names else None
    look, labels = look_of(kind), typed_labels(table)
    facts = None if look is None else look(labels, lambda row: f"the label of row {row + 1}")
    targets: Sequence[Any] = labels if facts is None else facts.targets
    if missing := [row for row, target in enumerate(targets, 1) if target is None]:
        raise MetaglotError(f"row {missing[0]} has no label ({len(missing)} such); write one, or empty the row")
    second = None if pairs is None or not any(pairs) else [one or "" for one in pairs]
    notes = (*table_notes(table), *(() if facts is None else facts.notes))
    return Labelled(kind, Examples(Inputs.of(texts, second), tuple(targets)), notes)
