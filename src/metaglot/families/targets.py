"""The targets of a table's rows."""

import pyarrow as pa

from metaglot.data.labels import typed_labels
from metaglot.families.family import AnyFamily
from metaglot.families.records import Read


def targets_of(table: pa.Table, family: AnyFamily, *, source: object = "") -> Read:
    """Return the target of each row, None where a row has none, and what is odd about how they were written.

    Raises MetaglotError, which names the source and the row, for a cell that holds no target of the kind.
    """
    rows = table["row"].to_pylist() if "row" in table.column_names else range(table.num_rows)
    begin = f"{source}: " if str(source) else ""
    return family.parse(typed_labels(table), lambda row: f"{begin}the label of row {rows[row] + 1}")
