"""What an error says of a table that has no labels."""

import pyarrow as pa

from metaglot.data.columns import near_name
from metaglot.data.form import form_of
from metaglot.data.labels import table_notes
from metaglot.data.written_columns import NO_TARGET

SPAN_COLUMNS = ("spans", "entities")


def no_labels(table: pa.Table) -> str:
    """Return that a table without labels has none, and the way out."""
    columns = form_of(table).columns
    empty = next((name for name in SPAN_COLUMNS if name in columns), None)
    if empty is not None:  # lists of spans are recognised by their spans
        return (
            f"no span was read from the column {empty!r}, which the task tagging learns; give examples with spans, "
            'such as [{"start": 0, "end": 3, "label": "PER"}], or name the column of labels: --columns label=COLUMN'
        )
    if "msgstr" in columns:
        return "no entry has a translation to learn from (fuzzy ones do not count); translate some first"
    if any(note.endswith(NO_TARGET) for note in table_notes(table)):
        return f"{NO_TARGET}; fill the column of targets, or name another: --columns label=COLUMN"
    listing = f"; it has {', '.join(map(repr, columns))}" if columns else ""
    return f"no column called label{near_name('label', columns)}{listing}; name it: --columns label=COLUMN"
