"""From which number to which the labels of a file lie, kept in the schema of the tables of its domains.

Tasks of one file share a scale: a user who rated no film below three stars does not have another.
"""

import json
from typing import cast

import pyarrow as pa

_KEY = b"metaglot.span"


def with_span_of_file(table: pa.Table) -> pa.Table:
    """Return the table with the least and the largest of its labels, where all of them are numbers."""
    labels = cast("list[str | None]", table["label"].to_pylist()) if "label" in table.column_names else []
    try:
        numbers = [float(label) for label in labels if label is not None]
    except ValueError:
        return table
    if not numbers:
        return table
    span = json.dumps([min(numbers), max(numbers)]).encode()
    return table.replace_schema_metadata({**(table.schema.metadata or {}), _KEY: span})


def span_of_file(table: pa.Table) -> tuple[float, float] | None:
    """Return the least and the largest label of the file that a table is a part of; None for a table of its own."""
    noted = (table.schema.metadata or {}).get(_KEY)
    if noted is None:
        return None
    low, high = json.loads(noted)
    return low, high
